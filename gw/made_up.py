"""Five weeks of calls before the demo, so that charts, comparisons and forecasts have something to say.

They are made up (gw.demo.world), go into a new ledger alone, and are priced by the demo's own price book: what a page says of the
cost of one of them holds.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from msgspec.structs import astuple, replace

from gw import clock
from gw.config.load import load
from gw.config.model import Config
from gw.demo.site import KEYS, LEDGER, TEAMS, UPSTREAM
from gw.demo.traffic import Seat
from gw.demo.world import OPUS, SONNET, Developer, calls_of_day, weight_of
from gw.domain.call import CallRecord
from gw.domain.key import parse
from gw.domain.price import Priced
from gw.ledger.rollup_shape import DAY_US
from gw.ledger.sqlite import SqliteDatabase
from gw.ledger.store import Batch, Row
from gw.reprice import Pricer, pricer_of

DAYS = 35
CALLS_PER_DAY = 260  # of a working day
GROWTH_PERCENT = 60  # how many more the last day has than the first
ENDED_US = 15 * 60 * 1_000_000  # none of them ended later than so long before now
SEED = 7
MONEY = [name for name in Priced.__struct_fields__ if name != "flags"]


def write_history(directory: Path, config_path: Path, seats: Sequence[Seat], days: int = DAYS) -> int:
    """How many calls were written: none if there is a ledger already. Raises ConfigError, OSError, StoreError."""
    ledger = directory / LEDGER
    if not days or ledger.exists():
        return 0
    ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = load(config_path)
    rows = list(_rows(config, _developers(seats), days, clock.wall_us() - ENDED_US))
    asyncio.run(_write(SqliteDatabase(ledger), rows))
    return len(rows)


async def _write(database: SqliteDatabase, rows: list[Row]) -> None:
    store = database.store()
    try:
        await store.open()
        await store.commit(Batch(rows=rows))
    finally:
        await store.close()


def _developers(seats: Sequence[Seat]) -> list[Developer]:
    dice = Random(SEED)
    names = {plan.name for plan in KEYS}
    public_ids = {seat.name: parse(seat.key).public_id for seat in seats if seat.name in names}
    return [
        Developer(
            key_id=public_ids[plan.name],
            key_name=plan.name,
            team=plan.team,
            customer=TEAMS[plan.team],
            device=f"{dice.getrandbits(256):064x}",
            projects=(plan.project,),
            main=OPUS if "*" in plan.models else SONNET,
        )
        for plan in KEYS
    ]


def _rows(config: Config, people: list[Developer], days: int, until_us: int) -> Iterator[Row]:
    pricer = pricer_of(config)
    today = until_us // DAY_US
    for number, day in enumerate(range(today - days + 1, today + 1), 1):
        count = CALLS_PER_DAY * weight_of(day) * (100 + GROWTH_PERCENT * number // days) // 10_000
        for row in calls_of_day(SEED, day, count, people):
            record = CallRecord(*row)
            if record.ended_us < until_us:
                yield astuple(_priced(pricer, replace(record, upstream=UPSTREAM, route="")))


def _priced(pricer: Pricer, record: CallRecord) -> CallRecord:
    if record.usage_source == "none":
        return record
    priced = pricer.price(record)
    assert not isinstance(priced, str), f"{record.requested_model}: {priced}"
    return replace(record, **{name: getattr(priced, name) for name in MONEY})
