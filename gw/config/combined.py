"""One configuration of the file and of what the database defines, and what of the latter cannot be part of it. Pure.

The file wins: a stored definition of a name that the file has is left out. So is one that the rules of the configuration
refuse beside the file as it is now, and whatever refers to it: a change of the file never waits for the database. What is
left out, and why, is decided once (`judge`) and then goes wherever the definitions go.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gw.config import rules
from gw.config.budget_model import Budget, Limit
from gw.config.budget_rules import CROWDED, crowds
from gw.config.load import read_table
from gw.config.locate import Path
from gw.config.model import Config, Customer, Key, Team
from gw.config.schema import specs
from gw.domain.budget_book import CHARGES_MAX
from gw.domain.key import KeyRow
from gw.domain.scope import KINDS, crowd
from gw.domain.stored import Definition, Kind, LeftOut, Stored

Element = Customer | Team | Key | Budget | Limit
Finding = tuple[Path, str]
TABLES: dict[Kind, type[Element]] = {"customer": Customer, "team": Team, "key": Key, "budget": Budget, "limit": Limit}
SECRETS = frozenset({"secret", "secret_hash"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Where = tuple[Kind, str]  # kind and name
Elements = dict[Where, Element]  # in the order in which they were made
Problems = dict[Where, list[Finding]]  # with paths inside the table of each


def combined(config: Config, stored: Stored, left_out: Iterable[LeftOut]) -> Config:
    """The file's configuration with the stored definitions that are in force after its own. `left_out`: from `judge`."""
    out = {(one.kind, one.name) for one in left_out}
    elements, _ = _read(stored)
    return _with(config, {where: element for where, element in elements.items() if where not in out})


def judge(config: Config, stored: Stored) -> tuple[LeftOut, ...]:
    """What of the stored definitions cannot be in force beside this file, by kind and name."""
    elements, _ = _read(stored)
    return tuple(
        LeftOut(kind, name, "; ".join(map(said, findings)), opens=kind == "budget" and _is_hard(elements.get((kind, name))))
        for (kind, name), findings in sorted(problems(config, stored).items())
    )


def problems(config: Config, stored: Stored, changed: Where | None = None) -> Problems:
    """The same, with all that is wrong with each. `changed`: this one is being written, and must be right in every way; any
    other key may go on although an upstream that it names has gone."""
    elements, found = _read(stored)
    found |= _shadowed(config, elements)
    rest = {where: element for where, element in elements.items() if where not in found}
    bystanders = _revoked(config, stored)
    while refused := _refused(config, rest, bystanders, changed):
        found |= refused
        rest = {where: element for where, element in rest.items() if where not in refused}
    return found | _crowded(config, rest)


def fields_of(table: Struct, *, hidden: Iterable[str] = ("name", *SECRETS)) -> dict[str, object]:
    """A table as JSON says it: tuples are lists, moments ISO 8601 in UTC or None."""
    return {spec.key: _plain(getattr(table, spec.attribute)) for spec in specs(type(table)) if spec.key not in hidden}


def set_fields(definition: Definition) -> dict[str, object]:
    """What was set."""
    return msgspec.json.decode(definition.fields, type=dict[str, object])


def element_of(kind: Kind, name: str, fields: Mapping[str, object]) -> tuple[Element, list[Finding]]:
    """The table, and what is wrong with its values, each by itself; if anything is, stand-ins are in it."""
    element, findings = read_table(TABLES[kind], {"name": name, **fields}, kind)
    assert isinstance(element, Customer | Team | Key | Budget | Limit)
    return element, findings


def key_of(row: KeyRow) -> Key:
    """A key of the database as the configuration would have it."""
    return Key(
        name=row.name,
        team=row.team,
        secret_hash=row.digest,
        models=row.models,
        upstreams=row.upstreams,
        expires=moment_of(row.expires_us),
        active=row.active and not row.revoked_us,
        max_cost_usd=row.max_cost_usd,
        max_tokens=row.max_tokens,
        session_limit_usd=row.session_limit_usd,
        owner=row.owner,
        store_content=row.store_content,
    )


def moment_of(us: int) -> datetime | None:
    """UTC; None for 0."""
    return EPOCH + timedelta(microseconds=us) if us else None


def told(one: LeftOut) -> str:
    """In one line: what is not in force, and why."""
    what = f'hard budget "{one.name}"' if one.opens else f'{one.kind} "{one.name}"'
    return f"the {what} of the database is not in force: {one.problem}"


def said(finding: Finding) -> str:
    """`limit_usd: is required`."""
    path, message = finding
    return f"{field_of(path)}: {message}" if path else message


def field_of(path: Path) -> str:
    """`increase.0.until`."""
    return ".".join(map(str, path))


def users_of(config: Config, kind: Kind, name: str) -> list[str]:
    """Who refers to it by its name: `team "platform"`, each once."""
    found: list[str] = []
    if kind == "customer":
        found += [f'team "{team.name}"' for team in config.team if team.customer == name]
    if kind == "team":
        found += [f'key "{key.name}"' for key in config.key if key.team == name]
        found += [f'price override "{one.name}"' for one in config.pricing.override if one.team == name]
    if kind in KINDS:
        found += [f'budget "{one.name}"' for one in config.budget if getattr(one, kind) == name]
        found += [f'limit "{one.name}"' for one in config.limit if getattr(one, kind) == name]
    return found


def everything(config: Config, stored: Stored) -> Config:
    """The file's configuration with all that is stored and can be read, in force or not: for looking names up only."""
    return _with(config, _read(stored)[0])


# --- parts ------------------------------------------------------------------------------------------------------------


def _read(stored: Stored) -> tuple[Elements, Problems]:
    """All definitions but revoked keys."""
    elements: Elements = {}
    found: Problems = {}
    for definition in stored.definitions:
        element, findings = element_of(definition.kind, definition.name, set_fields(definition))
        if findings:
            found[definition.kind, definition.name] = findings
        else:
            elements[definition.kind, definition.name] = element
    for row in stored.keys:
        if not row.revoked_us:
            elements["key", row.name] = key_of(row)
    return elements, found


def _with(config: Config, elements: Mapping[Where, Element]) -> Config:
    more: dict[str, list[Element]] = {kind: [] for kind in TABLES}
    for (kind, _), element in elements.items():
        more[kind].append(element)
    return replace(config, **{kind: (*getattr(config, kind), *added) for kind, added in more.items() if added})


def _shadowed(config: Config, elements: Elements) -> Problems:
    own = {(kind, one.name) for kind in TABLES for one in getattr(config, kind)}
    return {
        (kind, name): [((), f"the configuration file has a {kind} of this name, which is the one in force")]
        for kind, name in elements
        if (kind, name) in own
    }


def _revoked(config: Config, stored: Stored) -> Elements:
    """Names that are free again: a budget that was made for such a key is no mistake."""
    return {("key", row.name): replace(key_of(row), session_limit_usd="") for row in stored.keys if row.revoked_us}


def _refused(config: Config, elements: Elements, bystanders: Elements, changed: Where | None) -> Problems:
    """The elements that break a rule now. The file's own part has been judged already, and nothing is said of it."""
    own = {(kind, one.name) for kind in TABLES for one in getattr(config, kind)}
    silent = {where: one for where, one in bystanders.items() if where not in own and where not in elements}
    whole = _with(config, {**elements, **silent})
    unjudged: set[Path] = {("upstream", position, "api_key") for position in range(len(config.upstream))}
    found: Problems = {}
    for path, message in rules.problems(whole, unjudged, str, whole=True):
        where = _where(whole, path)
        harmless = where[0] == "key" and path[2:] == ("upstreams",) and where != changed
        if where in elements and not harmless:
            found.setdefault(where, []).append((path[2:], message))
    return found


def _where(config: Config, path: Path) -> Where:
    for kind in TABLES:
        if len(path) > 1 and path[0] == kind and isinstance(path[1], int):
            return kind, getattr(config, kind)[path[1]].name
    return "key", ""


def _crowded(config: Config, elements: Elements) -> Problems:
    """What does not fit into what the shared state keeps of one call: of all that is stored, hard budgets come first, then
    the session limits of keys, then limits; the older before the younger."""
    scopes = crowds((*config.budget, *config.limit, *config.key))
    found: Problems = {}
    for group in _by_importance(elements):
        whole = crowds(element for _, element in group)
        if all(crowd(scopes[table] + more) <= CHARGES_MAX for table, more in whole.items()):
            scopes = {table: scopes[table] + more for table, more in whole.items()}
            continue
        for where, element in group:
            for table, more in crowds([element]).items():
                if more and crowd(scopes[table] + more) > CHARGES_MAX:
                    found[where] = [((), CROWDED[table])]
                else:
                    scopes[table] = scopes[table] + more
    return found


def _by_importance(elements: Elements) -> Iterator[Sequence[tuple[Where, Budget | Limit | Key]]]:
    counted = [(where, one) for where, one in elements.items() if isinstance(one, Budget | Limit | Key)]
    for kind, mode in (("budget", "hard"), ("key", ""), ("limit", ""), ("budget", "soft"), ("budget", "shadow")):
        yield [(where, one) for where, one in counted if where[0] == kind and getattr(one, "mode", "") == mode]


def _is_hard(element: Element | None) -> bool:
    """One that cannot be read may have been."""
    return element is None or (isinstance(element, Budget) and element.mode == "hard")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return fields_of(value, hidden=()) if isinstance(value, Struct) else value
