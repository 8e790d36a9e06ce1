"""What is defined, as people and programs see it, where it comes from and whether it is in force. Pure."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from gw.config.combined import Element, Problems, element_of, fields_of, key_of, problems, said, set_fields
from gw.config.model import Config, wall_us_of
from gw.config.said import nearest
from gw.domain.key import KeyRow
from gw.domain.stored import Definition, Kind, Stored
from gw.ledger.audit import AuditRow

Source = Literal["config", "database"]
Fields = dict[str, Any]  # as in the tables of config.toml, in JSON's types: moments are ISO 8601 in UTC or None, money is text
Action = Literal["create", "update", "delete", "rotate", "revoke", "add_increase", "remove_increase"]


class Actor(NamedTuple):
    """Who asked for a change."""

    name: str
    via: Literal["api", "cli"]


class Item(Struct, frozen=True):
    """One definition. `fields` has every key of its table but `name` and the secrets, defaults included. Times are UTC
    microseconds."""

    kind: Kind
    name: str
    source: Source
    version: int  # grows with each change, over all of them; 0: of the configuration file
    fields: Fields
    problem: str = ""  # why it is not in force; "" if it is
    created_us: int = 0  # 0: of the configuration file
    updated_us: int = 0
    public_id: str = ""  # of a key of the database
    revoked_us: int = 0  # of a key of the database; 0: it is not
    overlap_until_us: int = 0  # of a key that was rotated: until then an earlier secret is good, too

    @property
    def expires_us(self) -> int:
        """Of a key; 0: never."""
        moment = self.fields.get("expires")
        return wall_us_of(datetime.fromisoformat(moment)) if moment else 0


class AuditEntry(Struct, frozen=True):
    """One change, sign-in or look at something. `before` and `after` are fields as in `Item`, with the public id of a key; None:
    it was not there, or is no more."""

    id: int
    at_us: int
    actor: str
    via: str
    action: str
    kind: str
    name: str
    before: Fields | None
    after: Fields | None
    prev_hash: str
    hash: str


class ControlError(Exception):
    """Why a change was not made; the message says it in one line."""


class NotFound(ControlError):
    """There is none of that name."""


class Conflict(ControlError):
    """The name is taken."""


class Stale(Conflict):
    """It has changed since the caller looked: its version is another one."""


class Provisioned(ControlError):
    """It is defined in the configuration file, and changed only there."""


class InUse(ControlError):
    """Something refers to it."""


class Invalid(ControlError):
    """`errors`: (field, message) each; fields are dotted, with positions in lists (`increase.0.until`), "" the whole."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" if field else message for field, message in errors))
        self.errors = errors


class View:
    """Both sources at one moment, judged. `changed`: the one that is being written."""

    def __init__(self, config: Config, stored: Stored, changed: tuple[Kind, str] | None = None) -> None:
        self.config = config
        self.stored = stored
        self._changed = changed

    @cached_property
    def problems(self) -> Problems:
        """What of the database is not in force."""
        return problems(self.config, self.stored, self._changed)

    def provisioned(self, kind: Kind, name: str) -> Item | None:
        """Of the file."""
        return next((self._own(kind, one) for one in getattr(self.config, kind) if one.name == name), None)

    def definition(self, kind: Kind, name: str) -> Definition | None:
        return next((one for one in self.stored.definitions if (one.kind, one.name) == (kind, name)), None)

    def keys(self, named: str) -> list[KeyRow]:
        """By name, if they are not revoked, or by public id."""
        return [row for row in self.stored.keys if row.public_id == named or (row.name == named and not row.revoked_us)]

    def items(self, kind: Kind, *, revoked: bool = False) -> Iterator[Item]:
        """Those of the file in its order, then the others by name."""
        for one in getattr(self.config, kind):
            yield self._own(kind, one)
        if kind == "key":
            for row in sorted(self.stored.keys, key=lambda row: (row.name, row.created_us)):
                if revoked or not row.revoked_us:
                    yield self.key_item(row)
        for definition in sorted(self.stored.definitions, key=lambda one: one.name):
            if definition.kind == kind:
                yield self.item(definition)

    def found(self, kind: Kind, name: str) -> Item:
        """That of the file if both have it. Raises NotFound, and Conflict if it is the name of one key and the id of another."""
        own = self.provisioned(kind, name)
        if own is not None:
            return own
        if kind == "key":
            return self.key_item(self.key_row(name))
        return self.item(self.known(kind, name))

    def known(self, kind: Kind, name: str) -> Definition:
        """Of the database. Raises NotFound."""
        definition = self.definition(kind, name)
        if definition is None:
            raise self.missing(kind, name)
        return definition

    def key_row(self, named: str) -> KeyRow:
        """Of the database, revoked or not. Raises NotFound, Conflict."""
        rows = self.keys(named)
        if len(rows) > 1:
            raise Conflict(f'"{named}" is the name of one key and the public id of another')
        if not rows:
            raise self.missing("key", named)
        return rows[0]

    def missing(self, kind: Kind, name: str) -> NotFound:
        return NotFound(f'there is no {kind} "{name}"{nearest(name, [item.name for item in self.items(kind)])}')

    def item(self, definition: Definition) -> Item:
        """What cannot be read is shown as it stands there."""
        raw = set_fields(definition)
        element, findings = element_of(definition.kind, definition.name, raw)
        return Item(
            definition.kind,
            definition.name,
            "database",
            definition.version,
            {**fields_of(element), **(raw if findings else {})},
            self._problem(definition.kind, definition.name),
            definition.created_us,
            definition.updated_us,
        )

    def key_item(self, row: KeyRow) -> Item:
        return Item(
            "key",
            row.name,
            "database",
            row.version,
            fields_of(key_of(row)),
            "it is revoked" if row.revoked_us else self._problem("key", row.name),
            row.created_us,
            row.updated_us,
            row.public_id,
            row.revoked_us,
            max((one.until_us for one in row.former), default=0),
        )

    def _own(self, kind: Kind, element: Element) -> Item:
        return Item(kind, element.name, "config", 0, fields_of(element))

    def _problem(self, kind: Kind, name: str) -> str:
        return "; ".join(map(said, self.problems.get((kind, name), ())))


def noted(item: Item) -> Fields:
    """An item as the audit keeps it."""
    return {**item.fields, "public_id": item.public_id} if item.public_id else item.fields


def audit_entry(row: AuditRow) -> AuditEntry:
    before, after = (msgspec.json.decode(text) if text else None for text in (row.before_json, row.after_json))
    return AuditEntry(*row[:7], before, after, row.prev_hash, row.hash)
