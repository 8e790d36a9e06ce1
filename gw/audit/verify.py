"""Whether the audit is what it was: by its own chain, by the head that moves with it, and by signed anchors. Pure.

Each fault gives one finding, at the row where it is. What gives what it is away:
    edited      its hash does not fit its content
    moved       its hash fits its content under another number: rows were exchanged or renumbered
    missing     the next row follows the hash of a row that is not there, or the head or an anchor names it
    inserted    it has no hash, the next row follows one before it, it lies beyond the head, or an anchor does not know it
    rewritten   the chain was computed anew: an anchor has another digest of this row
    head        the chain is whole and does not end as gw ended it
    anchor      it is not signed with the key, or does not follow the one before
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from gw.audit.anchor import Anchor, short
from gw.audit.sign import Verifier, is_signed_by
from gw.ledger.audit import GENESIS, AuditRow, Head, link

What = Literal["edited", "moved", "missing", "inserted", "rewritten", "head", "anchor"]
FINDINGS_MAX = 1000  # the rest would say nothing new
NEAR = 1000  # how far away a moved row is looked for, and an earlier row that one follows


class Finding(Struct, frozen=True):
    """`row`: the id of the row, of the first of several, or of an anchor; `last` that of the last of several."""

    what: What
    row: int
    last: int
    said: str


class Report(Struct, frozen=True):
    """What was looked at, and what is wrong. `first_id`, `last_id`: 0 if there are no rows. `signed_id`: up to there a good
    anchor vouches for the rows; those after it are held by their chain alone."""

    rows: int
    first_id: int
    last_id: int
    anchors: int
    signed_id: int
    signed_us: int
    unchained: int  # rows of earlier versions that no change has chained yet
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        return not self.findings


class Verification:
    """Takes rows in the order of their ids, then says what is wrong. `first_id`, `last_id`: of the stretch that is looked at, 0
    for the first and the last there are. `anchors`: all of them, in their order."""

    def __init__(
        self, head: Head | None, anchors: Iterable[Anchor], verifier: Verifier | None, first_id: int = 0, last_id: int = 0
    ) -> None:
        self._head = head
        self._anchors = _Anchors(anchors, verifier, first_id, last_id)
        self._to_end = not last_id
        self._found: dict[int, Finding] = {}
        self._expected = GENESIS if first_id <= 1 else ""  # "": whatever the first row says
        self._before: AuditRow | None = None
        self._near: OrderedDict[str, int] = OrderedDict()  # hashes of the rows before, with their ids
        self._also = ""  # the hash that the row before should have had
        self._rows = self._unchained = self._first_id = 0

    def run(self, rows: Iterable[AuditRow]) -> Report:
        for row in rows:
            self._take(row)
        last_id = self._before.id if self._before is not None else 0
        if self._to_end:
            self._end(last_id)
        for finding in self._anchors.rest():
            self._add(finding)
        return Report(
            rows=self._rows,
            first_id=self._first_id,
            last_id=last_id,
            anchors=self._anchors.valid,
            signed_id=self._anchors.signed_id,
            signed_us=self._anchors.signed_us,
            unchained=self._unchained,
            findings=tuple(sorted(self._found.values(), key=lambda one: (one.what == "anchor", one.row))),
        )

    def _take(self, row: AuditRow) -> None:
        self._rows += 1
        self._first_id = self._first_id or row.id
        if not row.hash:
            self._without_hash(row)
        else:
            self._chained(row)
        for finding in self._anchors.look(row):
            self._add(finding)
        self._before = row

    def _without_hash(self, row: AuditRow) -> None:
        if self._head is None:
            self._unchained += 1
        else:
            self._say("inserted", row.id, f"row {row.id} has no hash: gw did not write it")

    def _chained(self, row: AuditRow) -> None:
        content = row.content
        right = link(row.prev_hash, content)
        follows = not self._expected or row.prev_hash in (self._expected, self._also)
        if right != row.hash:
            self._changed(row)
        elif not follows:
            self._broken(row)
        self._near[row.hash] = row.id
        if len(self._near) > NEAR:
            self._near.popitem(last=False)
        self._expected, self._also = row.hash, right

    def _changed(self, row: AuditRow) -> None:
        origin = next((number for number in _around(row.id) if row._replace(id=number).after(row.prev_hash).hash == row.hash), 0)
        if origin:
            self._say("moved", row.id, f"row {row.id} holds what was written as row {origin}: rows were exchanged or renumbered")
        else:
            self._say("edited", row.id, f"row {row.id} was changed after it was written: its hash does not fit what it says")

    def _broken(self, row: AuditRow) -> None:
        """It is sound in itself, and does not follow the row before it."""
        before_id = self._before.id if self._before is not None else 0
        if self._head is not None and row.id > self._head.id:
            return  # it lies beyond the end, which is said there
        earlier = self._near.get(row.prev_hash, 0)
        if before_id in self._found and self._found[before_id].what != "inserted":
            return  # that row's own hash was changed with it
        if earlier:
            self._say("inserted", earlier + 1, _rows(earlier + 1, before_id, "were written by somebody else"), before_id)
        elif row.id > before_id + 1:
            self._say("missing", before_id + 1, _rows(before_id + 1, row.id - 1, "are missing"), row.id - 1)
        else:
            said = f"row {before_id} was replaced by another: row {row.id} follows a row that is not there"
            self._say("edited", before_id or row.id, said)

    def _end(self, last_id: int) -> None:
        head = self._head
        if head is None:
            if self._near:
                self._say("head", last_id, "the chain has no head: the mark of its last row was removed")
            return
        if head.id > last_id:
            self._say("missing", last_id + 1, _rows(last_id + 1, head.id, "are missing at the end"), head.id)
        elif head.id < last_id and last_id not in self._found:
            self._say("inserted", head.id + 1, _rows(head.id + 1, last_id, "lie beyond the last one that gw wrote"), last_id)
        elif self._expected not in ("", head.hash) and not self._found:
            self._say("head", last_id, f"the chain was computed anew: row {last_id} is not the one that gw wrote last")

    def _say(self, what: What, row: int, said: str, last: int = 0) -> None:
        self._add(Finding(what, row, max(last, row), said))

    def _add(self, finding: Finding) -> None:
        """The first thing that is found out about a row stays; of a chain that was computed anew, the row is what counts."""
        known = self._found.get(finding.row)
        if finding.what == "rewritten" and (head := next((key for key, one in self._found.items() if one.what == "head"), None)):
            del self._found[head]
        if finding.what == "anchor":
            self._found.setdefault(-finding.row, finding)
        elif known is None and not self._covered(finding) and len(self._found) < FINDINGS_MAX:
            self._found[finding.row] = finding

    def _covered(self, finding: Finding) -> bool:
        return any(
            one.what == finding.what and one.row <= finding.row and finding.last <= one.last for one in self._found.values()
        )


class _Anchors:
    """Goes along the anchors while rows come."""

    def __init__(self, anchors: Iterable[Anchor], verifier: Verifier | None, first_id: int, last_id: int) -> None:
        self._coming = iter(anchors)
        self._first_id, self._last_id = first_id, last_id or 2**63
        self._verifier = verifier
        self._before: Anchor | None = None
        self._now: Anchor | None = None
        self._rows: dict[int, str] = {}
        self._findings: list[Finding] = []
        self.valid = self.signed_id = self.signed_us = 0
        self._next()

    def look(self, row: AuditRow) -> Iterator[Finding]:
        """What they say of this row, and of those that should have come before it."""
        while self._now is not None and row.id > self._now.last_id:
            yield from self._gone(self._now.last_id)
            self._next()
        yield from self._said()
        if self._now is None or not self._now.first_id <= row.id <= self._now.last_id:
            return
        yield from self._gone(row.id - 1)
        wanted = self._rows.pop(row.id, None)
        when = _day(self._now)
        if wanted is None:
            yield Finding("inserted", row.id, row.id, f"row {row.id} is not among those that were signed on {when}")
        elif wanted != short(row):
            yield Finding(
                "rewritten", row.id, row.id, f"row {row.id} is not what was signed on {when}; the chain was computed anew"
            )

    def rest(self) -> Iterator[Finding]:
        while self._now is not None:
            yield from self._gone(self._now.last_id)
            self._next()
        yield from self._said()

    def _gone(self, up_to: int) -> Iterator[Finding]:
        """Rows that were signed and have not come."""
        gone = [number for number in self._rows if number <= up_to]
        assert self._now is not None
        for number in gone:
            del self._rows[number]
        for first, last in _stretches(gone):
            yield Finding("missing", first, last, _rows(first, last, f"are missing; they were signed on {_day(self._now)}"))

    def _said(self) -> Iterator[Finding]:
        found, self._findings = self._findings, []
        yield from found

    def _next(self) -> None:
        """The next one that is to be believed."""
        for anchor in self._coming:
            problem = self._problem(anchor)
            self._before = anchor
            if problem:
                self._findings.append(Finding("anchor", anchor.id, anchor.id, problem))
                continue
            if self._verifier is not None:
                self.valid += 1
                self.signed_id, self.signed_us = anchor.last_id, anchor.at_us
            self._now = anchor
            self._rows = {number: one for number, one in anchor.rows().items() if self._first_id <= number <= self._last_id}
            return
        self._now, self._rows = None, {}

    def _problem(self, anchor: Anchor) -> str:
        if self._verifier is not None and not is_signed_by(anchor, self._verifier):
            return f"anchor {anchor.id} of {_day(anchor)} is not signed with this key ({self._verifier.key_id})"
        try:
            anchor.rows()
        except ValueError:
            return f"anchor {anchor.id} of {_day(anchor)} cannot be read"
        before = self._before
        if before is not None and (anchor.previous != before.digest or anchor.id != before.id + 1):
            return f"anchor {anchor.id} of {_day(anchor)} does not follow anchor {before.id}: anchors are missing or were changed"
        return ""


def merged(own: Iterable[Anchor], kept: Sequence[Anchor]) -> Iterator[Anchor]:
    """Those of the database, and those that somebody else has kept, which count where both have one; in their order."""
    waiting = list(kept)
    for anchor in own:
        while waiting and waiting[0].id < anchor.id:
            yield waiting.pop(0)
        if waiting and waiting[0].id == anchor.id:
            yield waiting.pop(0)
        else:
            yield anchor
    yield from waiting


def _around(number: int) -> Iterator[int]:
    for distance in range(1, NEAR + 1):
        yield number + distance
        if number > distance:
            yield number - distance


def _stretches(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = 0
    for number in numbers:
        if first and number != last + 1:
            yield first, last
            first = 0
        first, last = first or number, number
    if first:
        yield first, last


def _rows(first: int, last: int, said: str) -> str:
    """`rows 3 to 5 are missing`; of one row in the singular."""
    if last > first:
        return f"rows {first} to {last} {said}"
    for plural, singular in (("they were", "it was"), ("are ", "is "), ("were ", "was "), ("lie ", "lies ")):
        said = said.replace(plural, singular)
    return f"row {first} {said}"


def _day(anchor: Anchor) -> str:
    return datetime.fromtimestamp(anchor.at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
