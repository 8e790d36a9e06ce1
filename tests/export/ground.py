"""What tests of exports share: a ledger with calls in it, an export of them, and all that has arrived."""

import asyncio
import csv
import io
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no stubs
import zstandard

from gw.config.export_model import Export
from gw.domain.call import CallRecord
from gw.export.job import Job
from gw.ledger.adjust import COLUMNS as ADJUSTMENT_COLUMNS
from gw.ledger.adjust import Adjustment, adjustments_after, append
from gw.ledger.audit import AuditRow
from gw.ledger.control import changing
from gw.ledger.store import Batch, Database
from tests.ledger.records import NOON_US, record

KEY = b"k" * 32
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
LATER_US = NOON_US + 3 * DAY_US
PROVIDERS = {"anthropic": "anthropic"}


def job(folder: Path, name: str = "warehouse", **settings: Any) -> Job:
    """An export into `folder`/out."""
    known: dict[str, Any] = {"name": name, "to": (folder / "out").as_uri(), "rows_per_file": 1000, **settings}
    return Job(Export(**known), folder / "spool" / name, KEY, PROVIDERS)


def call(number: int, **changes: Any) -> CallRecord:
    """Each of them different, a minute apart, priced."""
    tokens = 1000 + number
    cost = tokens * 3_000_000
    at = NOON_US + number * 60_000_000
    known: dict[str, Any] = {
        "started_us": at - 1_000_000,
        "ended_us": at,
        "charged_us": at - 1_000_000,
        "first_byte_us": at - 500_000,
        "team": f"team{number % 3}",
        "customer": "acme",
        "key_id": f"id{number % 5}",
        "key_name": f"key{number % 5}",
        "project": f"project{number % 2}",
        "session_id": f"session{number % 7}",
        "input_tokens": tokens,
        "input_pusd": cost,
        "list_pusd": cost,
        "billed_pusd": cost,
        "price_version": "2026-11-01",
        "at_most_nusd": number,
    }
    return record(f"call-{number:06d}", **(known | changes))


def fill(database: Database, records: Iterable[CallRecord]) -> None:
    """As the keeper writes."""

    async def write() -> None:
        store = database.store()
        await store.open()
        try:
            await store.commit(Batch(rows=[msgspec.structs.astuple(one) for one in records]))
        finally:
            await store.close()

    database.prepare()
    asyncio.run(write())


def ledger(database: Database) -> list[dict[str, Any]]:
    """Every call, by its seq."""
    names = ("seq", *CallRecord.__struct_fields__)
    with database.reading() as db:
        assert db is not None
        rows = db.execute(f"SELECT {', '.join(names)} FROM call ORDER BY seq").fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]


def files(folder: Path) -> list[Path]:
    """What has arrived, but for manifests; as readers of folders do it, without what has a dot before its name."""
    found = (one for one in (folder / "out").rglob("*") if one.is_file() and not one.name.startswith("."))
    return sorted(one for one in found if "_manifests" not in one.parts)


def manifests(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(one.read_text()) for one in sorted((folder / "out" / "_manifests").rglob("*.json"))]


def rows_of(file: Path) -> list[dict[str, Any]]:
    return rows_in(file.name, file.read_bytes())


def rows_in(name: str, content: bytes) -> list[dict[str, Any]]:
    """As a reader of that form sees them."""
    if name.endswith(".parquet"):
        found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
        return found
    if name.endswith(".zst"):
        content = zstandard.ZstdDecompressor().stream_reader(content).read()
    if "jsonl" in name:
        return [orjson.loads(line) for line in content.splitlines()]
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def arrived(folder: Path) -> list[dict[str, Any]]:
    return [row for file in files(folder) for row in rows_of(file)]


def usd(pusd: int) -> Decimal:
    return Decimal(pusd).scaleb(-12)


def once(folder: Path) -> Iterator[int]:
    """The seq of every row that has arrived, as often as it has."""
    yield from sorted(int(row["seq"]) for row in arrived(folder))


def adjust(database: Database, call_id: str, ended_us: int, billed: int, **changes: Any) -> None:
    """As repricing writes: the call costs so much more, or less."""
    texts = {"actor", "reason", "old_version", "new_version", "customer", "team", "key_name", "key_id", "upstream"}
    texts |= {"requested_model", "project", "session_id"}
    with database.changing() as db:
        count = len(adjustments_after(db, 0, 10_000))
        known = {"id": f"{call_id}.{count + 1}", "call_id": call_id, "at_us": LATER_US, "ended_us": ended_us}
        known |= {"billed_pusd": billed, "list_pusd": billed, "other_pusd": billed, **changes}
        values: list[Any] = [known.get(name, "" if name in texts else 0) for name in ADJUSTMENT_COLUMNS]
        append(db, [Adjustment(*values)])


def note(database: Database, actor: str) -> None:
    """A change, in the audit."""
    with changing(database) as change:
        change.note(AuditRow(0, NOON_US, actor, "api", "create", "team", "x", "", '{"x":1}'))
