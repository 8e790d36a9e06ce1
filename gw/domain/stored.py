"""What the database defines beside the configuration file, as it stands there: rows that nobody has judged yet. Pure."""

from typing import Literal

from msgspec import Struct

from gw.domain.key import KeyRow

Kind = Literal["customer", "team", "key", "budget", "limit"]


class Definition(Struct, frozen=True):
    """A customer, team, budget or limit. `fields` is a JSON object of the keys that were set, but for the name, as config.toml
    would say them: what was not set follows the defaults of the gw that reads it. Times are UTC microseconds."""

    kind: Kind
    name: str
    fields: str
    version: int
    created_us: int
    updated_us: int


class Stored(Struct, frozen=True):
    """All of it. `version` grows with every change; `keys` are all keys, the revoked ones too, oldest first."""

    version: int = 0
    definitions: tuple[Definition, ...] = ()
    keys: tuple[KeyRow, ...] = ()


class LeftOut(Struct, frozen=True):
    """A stored definition that is not in force, and why. The calls of a key that is left out are refused."""

    kind: Kind
    name: str
    problem: str
    opens: bool = False  # a hard budget: calls are no longer held to it
