"""Operations on customers, teams, keys, budgets and limits: each a plain function from `Ask` to `Answer`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from gw.config.budget_model import Increase
from gw.config.said import nearest
from gw.config.schema import specs
from gw.control import http_listing, service
from gw.control.auth import Guard
from gw.control.burns import Burns
from gw.control.host import Host
from gw.control.http_answer import NO_STORE, Answer, Ask, json_answer
from gw.control.http_body import checked, json_object
from gw.control.http_etag import etag, must_match, not_modified
from gw.control.http_live_trunk import Trunks
from gw.control.http_schema import PLURALS, columns, fields
from gw.control.http_shapes import moment
from gw.control.kept import Kept
from gw.control.problem import FieldError, Problem, all_invalid, invalid
from gw.control.service import OVERLAP_S_MAX, Actor, Item, Kind, Service
from gw.ledger.control import control_version
from gw.ledger.database import database_of

Entry = dict[str, Any]


class Desk:
    """What operations work with; one per worker."""

    watchers = 0  # of live tails

    def __init__(self, host: Host, guard: Guard) -> None:
        self.burns = Burns()
        self.kept = Kept()
        self.trunks = Trunks()
        self.host = host
        self.guard = guard
        self._service: tuple[object, Service] | None = None
        self._listed: tuple[tuple[object, ...], list[Entry]] = ((), [])  # the list asked for last: pages of it follow each other

    @contextmanager
    def watching(self) -> Iterator[None]:
        """One watcher more while it lasts."""
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    @property
    def service(self) -> Service:
        """Over the configuration that is in force now."""
        snapshot = self.host.snapshot
        if self._service is None or self._service[0] is not snapshot:
            self._service = snapshot, Service(snapshot.file_config, database_of(snapshot.config.storage.address), snapshot.pepper)
        return self._service[1]

    def entries(self, kind: Kind, *, revoked: bool) -> list[Entry]:
        """All of a kind, as JSON says it."""
        snapshot = self.host.snapshot
        now = snapshot.version, control_version(database_of(snapshot.config.storage.address)), kind, revoked
        if self._listed[0] != now:
            self._listed = now, [entry_of(item) for item in self.service.list(kind, revoked=revoked)]
        return self._listed[1]


Perform = Callable[[Desk, Ask], Answer]


def listing(kind: Kind) -> Perform:
    def perform(desk: Desk, ask: Ask) -> Answer:
        query, revoked = with_revoked(ask.query) if kind == "key" else (ask.query, False)
        wanted = http_listing.read(query, columns(kind))
        with translated():
            entries = desk.entries(kind, revoked=revoked)
        page = http_listing.page(entries, wanted, columns(kind))
        return json_answer({"items": page.entries, "next_cursor": page.next_cursor, "total": page.total})

    return perform


def showing(kind: Kind) -> Perform:
    def perform(desk: Desk, ask: Ask) -> Answer:
        entry = entry_of(found(desk, kind, ask.path["name"]))
        tag = etag(entry)
        if not_modified(ask.if_none_match, tag):
            return Answer(304, headers={"etag": tag})
        return json_answer(entry, headers={"etag": tag})

    return perform


def creating(kind: Kind) -> Perform:
    """Of keys the answer holds the key itself, this once."""

    def perform(desk: Desk, ask: Ask) -> Answer:
        values = checked(json_object(ask.body), fields(kind), partial=False)
        name = values.pop("name")
        with translated():
            if kind == "key":
                item, text = desk.service.create_key(name, values, actor=_actor(ask))
                return _made(item, {"key": text})
            return _made(desk.service.create(kind, name, values, actor=_actor(ask)))

    return perform


def changing(kind: Kind) -> Perform:
    known = tuple(spec for spec in fields(kind) if spec.key != "name")

    def perform(desk: Desk, ask: Ask) -> Answer:
        values = checked(json_object(ask.body), known, partial=True)
        item = _to_change(desk, kind, ask)
        with translated():
            return _item_answer(desk.service.update(kind, named(item), values, actor=_actor(ask), version=_version(item, ask)))

    return perform


def deleting(kind: Kind) -> Perform:
    def perform(desk: Desk, ask: Ask) -> Answer:
        item = _to_change(desk, kind, ask)
        with translated():
            desk.service.delete(kind, named(item), actor=_actor(ask), version=_version(item, ask))
        return Answer(204)

    return perform


def rotate_key(desk: Desk, ask: Ask) -> Answer:
    """A new secret; the one before it goes on for `overlap_s`."""
    overlap_s = _fields(ask, overlap_s=0)["overlap_s"]
    whole = isinstance(overlap_s, int | float) and not isinstance(overlap_s, bool) and overlap_s == int(overlap_s)
    if not whole or not 0 <= overlap_s <= OVERLAP_S_MAX:
        raise invalid("body", "overlap_s", f"must be 0 to {OVERLAP_S_MAX}")
    item = _to_change(desk, "key", ask, required=False)
    with translated():
        rotated, text = desk.service.rotate_key(
            named(item), overlap_s=int(overlap_s), actor=_actor(ask), version=_version(item, ask)
        )
    return _item_answer(rotated, {"key": text})


def revoke_key(desk: Desk, ask: Ask) -> Answer:
    _fields(ask)
    item = _to_change(desk, "key", ask, required=False)
    with translated():
        return _item_answer(desk.service.revoke_key(named(item), actor=_actor(ask), version=_version(item, ask)))


def add_increase(desk: Desk, ask: Ask) -> Answer:
    values = checked(json_object(ask.body), specs(Increase), partial=False)
    item = _to_change(desk, "budget", ask, required=False)
    with translated():
        raised = desk.service.add_increase(item.name, values, actor=_actor(ask), version=_version(item, ask))
    return _item_answer(raised, status=201)


def remove_increase(desk: Desk, ask: Ask) -> Answer:
    """By its position, which the ETag makes certain."""
    item = _to_change(desk, "budget", ask)
    position = ask.path["position"]
    known = [str(at) for at in range(len(item.fields["increase"]))]
    if position not in known:
        raise Problem("not_found", f'The budget "{item.name}" has no increase {position[:20]}.')
    with translated():
        lowered = desk.service.remove_increase(item.name, int(position), actor=_actor(ask), version=_version(item, ask))
    return _item_answer(lowered)


# --- parts --------------------------------------------------------------------------------------------------------------


def entry_of(item: Item) -> Entry:
    """As JSON says it."""
    entry = {"name": item.name, **item.fields, "source": item.source, "version": item.version, "problem": item.problem}
    entry |= {"created_at": moment(item.created_us), "updated_at": moment(item.updated_us)}
    if item.kind == "key":
        entry |= {"public_id": item.public_id or None, "revoked_at": moment(item.revoked_us)}
        entry["overlap_until"] = moment(item.overlap_until_us)
    return entry


def named(item: Item) -> str:
    """What the service finds no other by: two keys may have had one name."""
    return item.public_id or item.name


def found(desk: Desk, kind: Kind, name: str) -> Item:
    """Raises Problem not_found."""
    with translated():
        return desk.service.get(kind, name)


def with_revoked(query: Entry) -> tuple[Entry, bool]:
    """The query without `revoked`, and what that said."""
    said = query.get("revoked", "false")
    if said not in http_listing.BOOLS:
        raise invalid("query", "revoked", "must be true or false")
    return {name: value for name, value in query.items() if name != "revoked"}, http_listing.BOOLS[said]


@contextmanager
def translated() -> Iterator[None]:
    """What the service refuses, in the words of this API."""
    try:
        yield
    except service.NotFound as error:
        raise Problem("not_found", str(error)) from error
    except service.Provisioned as error:
        raise Problem("provisioned", str(error)) from error
    except service.InUse as error:
        raise Problem("in_use", str(error)) from error
    except service.Stale as error:
        raise Problem("precondition_failed", str(error)) from error
    except service.Conflict as error:
        raise Problem("exists", str(error)) from error
    except service.Invalid as error:
        raise all_invalid([FieldError("body", field, message) for field, message in error.errors]) from error


def _actor(ask: Ask) -> Actor:
    return Actor(ask.actor, "api")


def _version(item: Item, ask: Ask) -> int | None:
    """The change is made to what was looked at; None: to whatever it is now."""
    return item.version if ask.if_match.strip() not in ("", "*") else None


def _to_change(desk: Desk, kind: Kind, ask: Ask, *, required: bool = True) -> Item:
    """What is there now, if that is what the caller means to change. Comes after all that is wrong with the request itself
    (RFC 9110, section 13.2.1)."""
    item = found(desk, kind, ask.path["name"])
    must_match(ask.if_match, etag(entry_of(item)), required=required)
    return item


def _fields(ask: Ask, **known: Any) -> Entry:
    """A small body of its own: the fields that were given over their defaults."""
    values = json_object(ask.body, optional=True)
    for name in values:
        if name not in known:
            raise invalid("body", name[:80], f"unknown field{nearest(name, list(known))}")
    return {**known, **values}


def _item_answer(item: Item, once: Entry | None = None, *, status: int = 200) -> Answer:
    """`once`: shown now and never again."""
    entry = entry_of(item)
    headers = {"etag": etag(entry), **(NO_STORE if once else {})}
    return json_answer({**entry, **(once or {})}, status, headers=headers)


def _made(item: Item, once: Entry | None = None) -> Answer:
    answer = _item_answer(item, once, status=201)
    location = f"{PLURALS[item.kind]}/{quote(item.name, safe='')}"  # relative: the gateway may stand under any path
    return Answer(answer.status, answer.body, answer.media_type, {**answer.headers, "location": location})
