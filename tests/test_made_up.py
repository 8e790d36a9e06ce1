"""The demo's earlier days: priced as the gateway prices, of the demo's own keys, written once."""

from pathlib import Path

from gw.clock import wall_us
from gw.config.load import load
from gw.demo.site import KEYS, LEDGER, TEAMS, prepare
from gw.domain.key import parse
from gw.ledger import reports
from gw.ledger.sqlite import SqliteDatabase
from gw.made_up import ENDED_US, MONEY, write_history
from gw.reprice import pricer_of

DAYS = 9


def test_what_is_made_up_is_priced_by_the_demos_own_prices_and_written_once(tmp_path: Path) -> None:
    config, seats = prepare(tmp_path, upstream_url="http://127.0.0.1:9", port=9)
    before_us = wall_us()
    written = write_history(tmp_path, config, seats, DAYS)
    records, _ = reports.logs(SqliteDatabase(tmp_path / LEDGER), limit=2**31)
    assert written == len(records) > 500
    assert max(record.ended_us for record in records) < wall_us() - ENDED_US
    assert min(record.started_us for record in records) > before_us - (DAYS + 1) * 86_400_000_000
    pricer = pricer_of(load(config))
    for record in [one for one in records if one.usage_source != "none"][::50]:
        priced = pricer.price(record)
        assert not isinstance(priced, str)
        assert all(getattr(record, name) == getattr(priced, name) for name in MONEY)
    research = [record for record in records if record.team == "research" and record.list_pusd]
    assert research and all(record.billed_pusd * 100 == record.list_pusd * 85 for record in research)
    ids = {seat.name: parse(seat.key).public_id for seat in seats}
    whose = {(plan.name, ids[plan.name], plan.team, TEAMS[plan.team]) for plan in KEYS}
    assert {(record.key_name, record.key_id, record.team, record.customer) for record in records} == whose
    assert write_history(tmp_path, config, seats, DAYS) == 0


def test_none_is_made_up_where_none_is_wanted(tmp_path: Path) -> None:
    config, seats = prepare(tmp_path, upstream_url="http://127.0.0.1:9", port=9)
    assert write_history(tmp_path, config, seats, 0) == 0
    assert not (tmp_path / LEDGER).exists()
