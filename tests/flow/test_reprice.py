"""`gw reprice` beside a running gateway: rows stay, and budgets, sums and metrics follow within seconds, without a restart."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gw.domain.key import mint
from gw.ledger.adjust import adjustments_of
from tests.faults.processes import family, kill
from tests.flow.client import call
from tests.flow.stage import OWN, Stage, prompt, session, stage
from tests.house import ROOT
from tests.support.databases import query

LIMIT = Decimal(10)
MORE = """
[pricing]
unknown_model = "allow_unpriced"
[budgets]
unreadable = "allow"
[[team]]
name = "red"
[[key]]
name = "anna"
team = "red"
secret = "env:GW_TEST_ANNA"
[[budget]]
name = "red a day"
team = "red"
limit_usd = "10"
window = "day"
[[budget]]
name = "all for ever"
upstream = "*"
limit_usd = "1000"
window = "lifetime"
[[budget]]
name = "sessions"
session = "*"
limit_usd = "5"
window = "lifetime"
"""
OVERRIDE = """
[[pricing.override]]
name = "what it should have been"
model = "claude-*"
multiplier = "3"
[[pricing.override]]
name = "found its price"
model = "nobody-*"
input = "1"
output = "1"
cache_read = "1"
cache_write_5m = "1"
cache_write_1h = "1"
"""
KEY = mint().text
HEADERS = [("authorization", f"Bearer {KEY}"), session("s1")]
ENVIRON = {"GW_TEST_ANNA": KEY, "GW_TEST_UPSTREAM_KEY": "sk-ant-upstream-of-the-test"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path / "reprice", workers=2, more=MORE, environ={"GW_TEST_ANNA": KEY}) as one:
        yield one


def gw(house: Stage, *arguments: str) -> list[dict[str, Any]]:
    """What the command says, line by line."""
    command = [sys.executable, "-m", "gw", "reprice", "--config", str(house.gateway.folder / "config.toml"), "--json"]
    environ = {"PATH": "/usr/bin:/bin", **ENVIRON}
    ran = subprocess.run([*command, *arguments], cwd=ROOT, env=environ, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return [json.loads(line) for line in ran.stdout.splitlines()]


def spent(house: Stage) -> dict[str, Decimal]:
    """By budget, as the caller itself is told."""
    answer = asyncio.run(call(house.port, "/api/me?session=s1", method="GET", headers=HEADERS))
    return {one["id"]: Decimal(one["spent_usd"]) for one in answer.json["budgets"]}


def play(house: Stage, count: int) -> None:
    async def all_of_it() -> None:
        bodies = [prompt(f"{at} [play:mixed-ttl]") for at in range(count)]
        bodies.append(prompt("unpriced", model="nobody-has-priced-this"))
        await asyncio.gather(*(call(house.port, headers=HEADERS, body=body) for body in bodies))
        await call(house.port, headers=[OWN, session("own")], body=prompt())

    asyncio.run(all_of_it())
    house.gateway.session_rows("s1", count + 1)
    house.gateway.session_rows("own", 1)


def due(house: Stage) -> dict[str, Decimal]:
    """What the rows and their adjustments say, each call rounded up to nano-USD."""
    totals: dict[str, int] = {}
    for row in house.gateway.rows("endpoint = 'messages'"):
        with house.gateway.database.reading() as db:
            assert db is not None
            pusd = row["billed_pusd"] + sum(one.billed_pusd for one in adjustments_of(db, row["call_id"]))
        nusd = -(-pusd // 1000)
        for budget, counts in (("red a day", row["team"]), ("all for ever", True), ("sessions", row["session_id"] == "s1")):
            totals[budget] = totals.get(budget, 0) + (nusd if counts else 0)
    return {budget: Decimal(nusd) / 10**9 for budget, nusd in totals.items()}


def override(house: Stage, text: str) -> None:
    path = house.gateway.folder / "config.toml"
    path.write_text(path.read_text().replace(OVERRIDE, "") + text)


def metric(house: Stage, name: str) -> Decimal:
    page = asyncio.run(call(house.port, "/metrics", method="GET")).body.decode()
    return Decimal(next(line.split()[-1] for line in page.splitlines() if line.startswith(name)))


def test_budgets_and_metrics_follow_a_correction_and_its_taking_back(house: Stage) -> None:
    play(house, 12)
    before = spent(house)
    rows = house.gateway.rows()
    assert before == due(house) and before["red a day"] > 0
    (total, *left) = gw(house, "--since", "all")
    assert (total["calls"], total["changed"], total["billed_delta_usd"]) == (13, 0, "0")
    assert left == [{"group": "left", "name": "nobody-has-priced-this", "calls": 1, "why": "its model has no price"}]

    override(house, OVERRIDE)
    (tried, *_) = gw(house, "--since", "all", "--dry-run")
    assert tried["changed"] == 14 and query(house.gateway.database, "SELECT COUNT(*) FROM adjustment") == [(0,)]
    (total, *groups) = gw(house, "--since", "all", "--reason", "the list was wrong")
    assert {**tried, "dry_run": False} == total
    assert Decimal(total["billed_after_usd"]) - Decimal(total["billed_before_usd"]) == Decimal(total["billed_delta_usd"]) > 0
    assert total["list_delta_usd"] != "0", "of the one that had no price; an override of the others leaves their list price"
    for kind in ("model", "key", "team"):
        deltas = [Decimal(one["billed_delta_usd"]) for one in groups if one["group"] == kind]
        assert sum(deltas) == Decimal(total["billed_delta_usd"])
    house.gateway.poll(lambda: spent(house) == due(house) != before, "budgets that follow")
    play(house, 3)  # at the new price, on top
    house.gateway.poll(lambda: spent(house) == due(house), "budgets that go on")
    house.gateway.poll(lambda: metric(house, "gw_ledger_adjusted_calls_total") == 14, "metrics that follow")
    up = 'gw_ledger_adjustments_usd_total{direction="up",kind="billed"}'
    assert metric(house, up).quantize(Decimal("1e-9")) == Decimal(total["billed_delta_usd"]).quantize(Decimal("1e-9"))

    override(house, "")
    assert gw(house, "--since", "all")[0]["changed"] == 13 + 4, "those that have lost their price keep it"
    house.gateway.poll(lambda: spent(house) == due(house), "budgets that follow back")
    assert {row["call_id"]: row for row in house.gateway.rows()} | {row["call_id"]: row for row in rows} == {
        row["call_id"]: row for row in house.gateway.rows()
    }
    assert metric(house, "gw_keeper_cells_corrected") == 0, "nothing had to be put right behind anybody's back"
    audit = query(house.gateway.database, "SELECT action, after_json FROM audit WHERE action = 'reprice' ORDER BY id")
    assert len(audit) == 2 and "the list was wrong" in audit[0][1]


def test_a_keeper_that_dies_meanwhile_and_a_restart_count_each_adjustment_once(house: Stage) -> None:
    play(house, 5)
    override(house, OVERRIDE)
    kill(family(house.gateway).keeper)
    gw(house, "--since", "1h")
    house.gateway.poll(lambda: spent(house) == due(house), "budgets that follow")
    house.gateway.process.stop()
    override(house, "")
    gw(house, "--since", "1h")
    house.gateway.process.start()
    assert spent(house) == due(house), "cells are made of rows and adjustments at the start"
    house.gateway.poll(lambda: metric(house, "gw_keeper_cells_checked") > 0, "cells that were looked at")
    assert metric(house, "gw_keeper_cells_corrected") == 0 and metric(house, "gw_ledger_adjusted_calls_total") == 0
