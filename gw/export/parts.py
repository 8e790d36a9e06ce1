"""A stream of rows becomes files: one folder per partition, each file closed at its bound of rows or bytes.

At most OPEN_MAX partitions are written at a time; the one that was used least lately is closed when another begins. Rows come in
the order of their numbers, so as a rule one or two are open. All of it follows from the rows alone: the same range gives the same
files, with the same names.
"""

from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from gw.domain.column import Column
from gw.domain.money import usd_text
from gw.export.encode import SUFFIXES, Encoder, encoder_of
from gw.export.shape import Shape, moment_text

OPEN_MAX = 4
HOUR_US = 3_600_000_000
READ_BYTES = 1 << 20
DIGEST_CHARS = 12  # of the content, in a file's name


class Read(NamedTuple):
    """One row on its way out."""

    number: int  # its place in the order of the source; a call's seq
    at_us: int  # which partition it belongs to
    values: Sequence[Any]  # of all columns


class Part(Struct, frozen=True):
    """A finished file, still here."""

    name: str  # path below the target
    file: Path
    rows: int
    size: int  # bytes
    sha256: str
    first: int  # least and greatest number in it
    last: int
    totals: dict[str, int]  # column of money -> sum, 1e-12 USD


class _Open:
    def __init__(self, file: Path, encoder: Encoder, money: Sequence[int]) -> None:
        self.file, self.encoder = file, encoder
        self.rows = 0
        self.first = self.last = -1
        self.sums = [0] * len(money)


class Layout(NamedTuple):
    """How files are cut and named. `template` has {date} and {hour} left to fill in."""

    template: str
    form: str
    rows_max: int
    bytes_max: int
    mark: str = ""  # goes into the names: the revision of a period


class Parts:
    """Yields each file as it is closed. Files lie in `folder` until whoever took them deletes them."""

    def __init__(self, folder: Path, layout: Layout, shape: Shape) -> None:
        self._folder, self._layout, self._shape = folder, layout, shape
        self._money = [at for at, column in enumerate(shape.columns) if column.money]
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._made = 0

    def of(self, pages: Iterable[Sequence[Read]]) -> Generator[Part, None, None]:
        """`pages`: rows in order, some thousand at a time. Close it if you do not come to its end."""
        try:
            for page in pages:
                for partition, rows in self._partitions(page).items():
                    yield from self._write(partition, rows)
            while self._open:
                yield self._close(next(iter(self._open)))
        finally:
            for one in self._open.values():
                with suppress(OSError):
                    one.encoder.close()

    def _partitions(self, page: Sequence[Read]) -> dict[str, list[Read]]:
        """Rows whose times are in no order (of a backlog, of tests) would else begin a file each."""
        found: dict[str, list[Read]] = {}
        hours: dict[int, list[Read]] = {}
        for row in page:
            hour = row.at_us // HOUR_US
            rows = hours.get(hour)
            if rows is None:
                rows = hours[hour] = found.setdefault(folder_of(self._layout.template, row.at_us), [])
            rows.append(row)
        return found

    def _write(self, partition: str, rows: list[Read]) -> Iterator[Part]:
        while rows:
            one = self._open.get(partition)
            if one is None:
                if len(self._open) >= OPEN_MAX:
                    yield self._close(next(iter(self._open)))
                one = self._begin(partition)
            self._open.move_to_end(partition)
            room = self._layout.rows_max - one.rows
            taken, rows = rows[:room], rows[room:]
            self._add(one, taken)
            if one.rows >= self._layout.rows_max or one.encoder.size() >= self._layout.bytes_max:
                yield self._close(partition)

    def _begin(self, partition: str) -> _Open:
        self._made += 1
        file = self._folder / f"{self._made:06d}.partial"
        one = self._open[partition] = _Open(file, encoder_of(self._layout.form, file, self._shape.columns), self._money)
        return one

    def _add(self, one: _Open, rows: list[Read]) -> None:
        shaped = [self._shape.shaped(row.values) for row in rows]
        one.encoder.write(shaped)
        for place, at in enumerate(self._money):
            one.sums[place] += sum(values[at] for values in shaped)
        numbers = [row.number for row in rows]
        one.first = min(numbers) if one.first < 0 else min(one.first, *numbers)
        one.last = max(one.last, *numbers)
        one.rows += len(rows)

    def _close(self, partition: str) -> Part:
        one = self._open.pop(partition)
        one.encoder.close()
        digest = digest_of(one.file)
        mark = f"{self._layout.mark}-" if self._layout.mark else ""
        name = f"part-{mark}{one.first:012d}-{one.last:012d}-{digest[:DIGEST_CHARS]}.{SUFFIXES[self._layout.form]}"
        names = [self._shape.columns[at].name for at in self._money]
        return Part(
            f"{partition}/{name}" if partition else name,
            one.file,
            one.rows,
            one.file.stat().st_size,
            digest,
            one.first,
            one.last,
            dict(zip(names, one.sums, strict=True)),
        )


def folder_of(template: str, us: int) -> str:
    """`calls/dt={date}/hour={hour}` at a moment. 0, which never happened, is of 1970."""
    text = moment_text(us)
    return template.replace("{date}", text[:10]).replace("{hour}", text[11:13])


def digest_of(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as content:
        while piece := content.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def totals_text(totals: dict[str, int]) -> dict[str, str]:
    """Exact decimal numbers."""
    return {name: usd_text(amount) for name, amount in totals.items()}


def added(totals: Iterable[dict[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in totals:
        for name, amount in one.items():
            sums[name] = sums.get(name, 0) + amount
    return sums


def described(columns: Sequence[Column]) -> list[dict[str, object]]:
    """For the manifest: name and type as a reader of the files knows them."""
    types = {"decimal": "decimal(38,12)", "moment": "timestamp(us, UTC)", "int": "int64", "text": "string"}
    types |= {"second": types["moment"], "json": "string (JSON)"}
    return [{"name": one.name, "type": types.get(one.kind, one.kind), "nullable": one.nullable} for one in columns]
