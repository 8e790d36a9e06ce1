"""Customers, teams, keys, budgets and limits: what is defined where, and every change to what the database defines.

One service for the API and for the command line. A change is judged by the rules of `config.toml`, over the configuration as
it would be afterwards; it is written in one transaction with its audit row and with the version that all workers follow.
Nothing that leaves this file is a secret, but for the one text of a key that was just minted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from gw import clock
from gw.config.combined import SECRETS, element_of, everything, field_of, fields_of, said, set_fields, users_of
from gw.config.model import Config, Key
from gw.control.items import (
    Action,
    Actor,
    AuditEntry,
    Conflict,
    ControlError,
    Fields,
    InUse,
    Invalid,
    Item,
    NotFound,
    Provisioned,
    Stale,
    View,
    audit_entry,
    noted,
)
from gw.domain.key import FormerSecret, KeyRow, digest, mint
from gw.domain.stored import Definition, Kind, Stored
from gw.ledger.audit import AuditRow, read_audit
from gw.ledger.control import Change, changing, control_version, read_stored
from gw.ledger.store import Database

__all__ = ["Actor", "AuditEntry", "Conflict", "ControlError", "Fields", "InUse", "Invalid", "Item", "Kind", "NotFound"]
__all__ += ["OVERLAP_S_MAX", "Provisioned", "Service", "Stale"]

OVERLAP_S_MAX = 30 * 86_400
US_PER_S = 1_000_000
_INCREASE = re.compile(r"^increase\.\d+\.")

Row = TypeVar("Row")
Values = Mapping[str, object]
Items = list[Item]  # `list` is a method below
Entries = list[AuditEntry]


class Service:
    """`config`: of the file alone (`Snapshot.file_config`). All methods raise StoreError where the database cannot be used;
    those that change anything raise ControlError. Methods may be called from any thread, one at a time."""

    def __init__(self, config: Config, database: Database, pepper: bytes) -> None:
        self._config = config
        self._database = database
        self._pepper = pepper
        self._view = View(config, Stored())

    def list(self, kind: Kind, *, revoked: bool = False) -> Items:
        """Those of the file first, then by name. A name may stand in both: the file's is in force, the other has a `problem`.
        `revoked`: revoked keys too, whose names need not be unique."""
        return [*self._look().items(kind, revoked=revoked)]

    def get(self, kind: Kind, name: str) -> Item:
        """By its name, a key also by its public id; that of the file if both have it. Raises NotFound, and Conflict if it is
        the name of one key and the public id of another."""
        return self._look().found(kind, name)

    def audit(self, limit: int = 100, before_id: int | None = None, kind: str = "", name: str = "") -> Entries:
        """Newest first. `before_id`: those older than it."""
        return [audit_entry(row) for row in read_audit(self._database, limit, before_id, kind, name)]

    def create(self, kind: Kind, name: str, fields: Values, *, actor: Actor) -> Item:
        """Raises Conflict, Provisioned, Invalid. Keys have `create_key`."""
        assert kind != "key", "a key has a secret to be shown"
        with self._changing() as (change, view):
            _check_free(view, kind, name)
            if view.definition(kind, name) is not None:
                raise Conflict(f'there is already a {kind} named "{name}"')
            now_us = clock.wall_us()
            definition = Definition(kind, name, _set(kind, name, fields), change.version, now_us, now_us)
            return self._put(change, view, None, definition, "create", actor=actor)

    def update(self, kind: Kind, name: str, changes: Values, *, actor: Actor, version: int | None = None) -> Item:
        """Only the fields that are given change; None sets one back to its default. `version`: only if it still has this one.
        Raises NotFound, Provisioned, Stale, Invalid."""
        if kind == "key":
            return self._update_key(name, changes, actor, version)
        return self._change(kind, name, lambda before: {**before, **changes}, "update", actor=actor, version=version)

    def delete(self, kind: Kind, name: str, *, actor: Actor, version: int | None = None) -> None:
        """What was spent stays in the ledger. A key is revoked. Raises NotFound, Provisioned, Stale, InUse."""
        if kind == "key":
            self.revoke_key(name, actor=actor, version=version)
            return
        with self._changing(kind, name) as (change, view):
            definition = view.definition(kind, name)
            own = view.provisioned(kind, name)
            if own is not None and (definition is None or version == own.version):
                raise _provisioned(kind, name)
            definition = view.known(kind, name)
            _check_version(kind, name, definition.version, version)
            users = [] if own is not None else users_of(everything(self._config, change.stored), kind, name)
            if users:
                more = f" and {len(users) - 3} more" if len(users) > 3 else ""
                raise InUse(f'the {kind} "{name}" is named by {", ".join(users[:3])}{more}; change or delete that first')
            change.remove(kind, name)
            _note(change, actor, "delete", view.item(definition), None)

    def create_key(self, name: str, fields: Values, *, actor: Actor) -> tuple[Item, str]:
        """The key's text is shown this once. Raises Conflict, Provisioned, Invalid."""
        minted = mint()
        with self._changing() as (change, view):
            _check_free(view, "key", name)
            if rows := view.keys(name):
                known = "already a key named" if rows[0].name == name else "a key with the public id"
                raise Conflict(f'there is {known} "{name}"; revoke it first, or choose another name')
            now_us = clock.wall_us()
            secret = digest(minted.text, self._pepper).hex()
            fresh = KeyRow(minted.public_id, secret, name, created_us=now_us, updated_us=now_us, version=change.version)
            row = _with_fields(fresh, fields)
            return self._put_key(change, view, None, row, "create", actor=actor), minted.text

    def rotate_key(self, named: str, *, overlap_s: int, actor: Actor, version: int | None = None) -> tuple[Item, str]:
        """A new secret under the same name and public id; the one before it is good for `overlap_s` more, those before that
        one no longer than that. Raises NotFound, Conflict, Provisioned, Stale, Invalid."""
        if not 0 <= overlap_s <= OVERLAP_S_MAX:
            raise Invalid([("overlap_s", f"must be 0 to {OVERLAP_S_MAX}")])
        with self._changing("key", named) as (change, view):
            row = _key(view, named, version)
            minted = mint(row.public_id)
            now_us = clock.wall_us()
            until_us = now_us + overlap_s * US_PER_S
            former = (FormerSecret(row.digest, until_us), *row.former)
            rotated = replace(
                row,
                digest=digest(minted.text, self._pepper).hex(),
                former=tuple(one._replace(until_us=min(one.until_us, until_us)) for one in former),
                updated_us=now_us,
                version=change.version,
            )
            return self._put_key(change, view, row, rotated, "rotate", actor=actor), minted.text

    def revoke_key(self, named: str, *, actor: Actor, version: int | None = None) -> Item:
        """At once and for good, whatever refers to it. Raises NotFound, Conflict, Provisioned, Stale."""
        with self._changing("key", named) as (change, view):
            row = _key(view, named, version)
            now_us = clock.wall_us()
            revoked = replace(row, revoked_us=now_us, updated_us=now_us, version=change.version)
            change.put_key(revoked)
            _note(change, actor, "revoke", view.key_item(row), None)
            return view.key_item(revoked)

    def add_increase(self, name: str, fields: Values, *, actor: Actor, version: int | None = None) -> Item:
        """More to spend for a while, in a budget of the database: limit_usd, until, reason. Raises as `update` does."""

        def more(before: Fields) -> Fields:
            return {**before, "increase": [*before.get("increase", ()), dict(fields)]}

        try:
            return self._change("budget", name, more, "add_increase", actor=actor, version=version)
        except Invalid as error:
            raise Invalid([(_INCREASE.sub("", field), message) for field, message in error.errors]) from error

    def remove_increase(self, name: str, position: int, *, actor: Actor, version: int | None = None) -> Item:
        """`position` as in the budget's `increase`, from 0. Raises as `update` does."""

        def less(before: Fields) -> Fields:
            increases = before.get("increase", [])
            if not 0 <= position < len(increases):
                raise NotFound(f'the budget "{name}" has no increase {position}')
            return {**before, "increase": increases[:position] + increases[position + 1 :]}

        return self._change("budget", name, less, "remove_increase", actor=actor, version=version)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _look(self) -> View:
        """As it is now; judged anew only when something has changed."""
        if self._view.stored.version != control_version(self._database):
            self._view = View(self._config, read_stored(self._database))
        return self._view

    @contextmanager
    def _changing(self, kind: Kind = "key", name: str = "") -> Iterator[tuple[Change, View]]:
        """A transaction, and what there is in it. With a name: no database is made only to say that it is not there."""
        if name and self._database.is_new():
            self._look().found(kind, name)
            raise _provisioned(kind, name)
        with changing(self._database) as change:
            yield change, View(self._config, change.stored)

    def _change(
        self, kind: Kind, name: str, change_of: Callable[[Fields], Fields], action: Action, *, actor: Actor, version: int | None
    ) -> Item:
        """Of a definition that is there."""
        with self._changing(kind, name) as (change, view):
            if view.provisioned(kind, name) is not None:
                raise _provisioned(kind, name)
            before = view.known(kind, name)
            _check_version(kind, name, before.version, version)
            fields = _set(kind, name, change_of(set_fields(before)))
            if fields == before.fields:
                return view.item(before)
            after = replace(before, fields=fields, version=change.version, updated_us=clock.wall_us())
            return self._put(change, view, before, after, action, actor=actor)

    def _put(
        self, change: Change, view: View, before: Definition | None, after: Definition, action: Action, *, actor: Actor
    ) -> Item:
        definitions = _replaced(change.stored.definitions, before, after)
        judged = self._judged(view, replace(change.stored, definitions=definitions), after.kind, after.name)
        change.put(after)
        _note(change, actor, action, view.item(before) if before is not None else None, item := judged.item(after))
        return item

    def _update_key(self, named: str, changes: Values, actor: Actor, version: int | None) -> Item:
        with self._changing("key", named) as (change, view):
            row = _key(view, named, version)
            after = _with_fields(row, changes, known=True)
            if after == row:
                return view.key_item(row)
            after = replace(after, version=change.version, updated_us=clock.wall_us())
            return self._put_key(change, view, row, after, "update", actor=actor)

    def _put_key(self, change: Change, view: View, before: KeyRow | None, after: KeyRow, action: Action, *, actor: Actor) -> Item:
        keys = _replaced(change.stored.keys, before, after)
        judged = self._judged(view, replace(change.stored, keys=keys), "key", after.name)
        change.put_key(after)
        _note(change, actor, action, view.key_item(before) if before is not None else None, item := judged.key_item(after))
        return item

    def _judged(self, before: View, stored: Stored, kind: Kind, name: str) -> View:
        """As it would be. Raises Invalid if it could not be in force, or would put something else out of force."""
        after = View(self._config, stored, (kind, name))
        if own := after.problems.get((kind, name)):
            raise Invalid([(field_of(path), message) for path, message in own])
        for (other, of), findings in after.problems.items():
            if (other, of) not in before.problems:
                raise Invalid([("", f'the {other} "{of}" could then not be in force: {said(findings[0])}')])
        return after


def _key(view: View, named: str, version: int | None) -> KeyRow:
    """The unrevoked key that is meant. Raises NotFound, Conflict, Provisioned, Stale."""
    if view.provisioned("key", named) is not None:
        raise _provisioned("key", named)
    row = view.key_row(named)
    if row.revoked_us:
        raise NotFound(f'the key "{row.name}" ({row.public_id}) is revoked')
    _check_version("key", named, row.version, version)
    return row


def _check_free(view: View, kind: Kind, name: str) -> None:
    if view.provisioned(kind, name) is not None:
        raise Provisioned(f'the configuration file has a {kind} named "{name}"; choose another name, or change it there')


def _provisioned(kind: Kind, name: str) -> Provisioned:
    how = "set active = false there to refuse its calls, or change it there" if kind == "key" else "change it there"
    return Provisioned(f'the {kind} "{name}" stands in the configuration file; {how}')


def _check_version(kind: Kind, name: str, is_now: int, wanted: int | None) -> None:
    if wanted is not None and wanted != is_now:
        raise Stale(f'the {kind} "{name}" has changed since you looked: its version is {is_now} now, not {wanted}')


def _replaced(rows: tuple[Row, ...], before: Row | None, after: Row) -> tuple[Row, ...]:
    return (*rows, after) if before is None else tuple(after if row is before else row for row in rows)


def _given(fields: Values) -> Fields:
    return {key: value for key, value in fields.items() if value is not None}


def _set(kind: Kind, name: str, fields: Values) -> str:
    """The fields that are set, as they are stored. Raises Invalid."""
    given = _given(fields)
    element, findings = element_of(kind, name, given)
    if findings:
        raise Invalid([(field_of(path), message) for path, message in findings])
    plain = fields_of(element)
    return msgspec.json.encode({key: plain[key] for key in sorted(given)}).decode()


def _with_fields(row: KeyRow, changes: Values, *, known: bool = False) -> KeyRow:
    """`known`: its name is not to be judged any more, nor what does not change. Raises Invalid."""
    errors = [(key, "gw makes the secret of a key itself") for key in changes if key in SECRETS]
    key, findings = element_of("key", row.name, _given({key: value for key, value in changes.items() if key not in SECRETS}))
    errors += [(field_of(path), message) for path, message in findings if not (known and path == ("name",))]
    if errors:
        raise Invalid(errors)
    assert isinstance(key, Key)
    values = {f"{name}_us" if name == "expires" else name for name in changes}
    return replace(row, **{name: getattr(key, name) for name in values})


def _note(change: Change, actor: Actor, action: Action, before: Item | None, after: Item | None) -> None:
    item = after or before
    assert item is not None, "a change of nothing"
    texts = [msgspec.json.encode(noted(one)).decode() if one is not None else "" for one in (before, after)]
    change.note(AuditRow(0, clock.wall_us(), actor.name, actor.via, action, item.kind, item.name, *texts))
