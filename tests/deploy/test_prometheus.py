"""What ships for Prometheus and Grafana, before a real Prometheus that scrapes a real gateway."""

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gw.clock import mono_ns
from gw.domain.key import mint
from tests.flow.client import call
from tests.flow.stage import OWN, Stage, prompt, session, stage
from tests.house import ROOT
from tests.support.prometheus import Prometheus, need_prometheus, promtool

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "gw.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "gw.json"
TOKEN = "scraper's own"
SHOWN_S = 60.0
ROUND_S = 0.5
VARIABLES = {"$__rate_interval": "10s", "$__range": "20s", "$__interval": "10s", "$datasource": ""}
VARIABLES |= dict.fromkeys(("$instance", "$team", "$key", "$model"), ".*")
MORE = """
[routing]
cooldown_s = 1
[[upstream]]
name = "down"
base_url = "http://127.0.0.1:9"
api_key = "sk-nobody"
models = ["down/*"]
[[route]]
model = "down-first"
candidates = [{ upstream = "down" }, { upstream = "fake", model = "claude-haiku-5-5", priority = 2 }]
[metrics]
token = "env:GW_TEST_METRICS_TOKEN"
[[team]]
name = "red"
[[key]]
name = "anna"
team = "red"
secret = "env:GW_TEST_ANNA"
[[key]]
name = "bob"
secret = "env:GW_TEST_BOB"
[[budget]]
name = "red a day"
team = "red"
limit_usd = "10"
window = "day"
[[budget]]
name = "nothing for bob"
key = "bob"
limit_usd = "0"
window = "month"
"""


def expressions() -> list[str]:
    """Of the dashboard, as Grafana would send them."""
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in sorted(VARIABLES.items(), key=lambda one: -len(one[0])):
                expression = expression.replace(name, value)
            assert "$" not in expression, expression
            found.append(expression)
    return found


def metrics_in(text: str) -> set[str]:
    """Without what rules record, and without words in quotes."""
    return set(re.findall(r'(?<![:|"\w])gw_[a-z0-9_]+', text))


def test_rules_are_well_formed_and_fire_when_they_should(tmp_path: Path) -> None:
    need_prometheus()
    shutil.copytree(RULES.parent, tmp_path / "prometheus")
    for kind, name in (("config", "prometheus.yml"), ("rules", RULES.name)):
        promtool("check", kind, name, folder=tmp_path / "prometheus")
    promtool("test", "rules", "gw.rules.test.yml", folder=tmp_path / "prometheus")


def test_every_alert_is_tested_to_fire() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    fired = set(re.findall(r'alertname="(\w+)"', (RULES.parent / "gw.rules.test.yml").read_text()))
    assert alerts == fired and len(alerts) > 15


def test_the_dashboard_asks_one_source_and_overlaps_nowhere() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, dict[str, str]]]:
    need_prometheus()
    keys = {name: mint().text for name in ("anna", "bob")}
    environ = {"GW_TEST_ANNA": keys["anna"], "GW_TEST_BOB": keys["bob"], "GW_TEST_METRICS_TOKEN": TOKEN}
    with stage(tmp_path_factory.mktemp("prometheus"), workers=2, more=MORE, environ=environ) as one:
        yield one, keys


async def traffic(house: Stage, keys: dict[str, str], over: asyncio.Event) -> None:
    """Something of everything, again and again."""
    anna, bob = ([("authorization", f"Bearer {keys[name]}"), session("s")] for name in ("anna", "bob"))
    plays = [(anna, "[play:events 5]"), (anna, "[play:mixed-ttl]"), (bob, "hi"), ([OWN], "[play:status 529]")]
    while not over.is_set():
        calls = [call(house.port, headers=headers, body=prompt(text)) for headers, text in plays]
        calls.append(call(house.port, headers=[OWN], body=prompt(model="nobody-has-priced-this")))
        calls.append(call(house.port, headers=anna, body=prompt(model="down-first")))
        await asyncio.gather(*calls)
        await asyncio.sleep(ROUND_S)


def configured(folder: Path, port: int) -> Path:
    """The example that ships, with this gateway's port and token, and a second between two scrapes."""
    shutil.copytree(RULES.parent, folder / "prometheus")
    path = folder / "prometheus" / "prometheus.yml"
    text = path.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("15s", "1s")
    for line in ("authorization:", "  credentials_file:"):
        text = text.replace(f"    # {line}", f"    {line}")
    (folder / "prometheus" / "gw.token").write_text(f"{TOKEN}\n")
    path.write_text(text.replace("/etc/prometheus/gw.token", "gw.token"))
    return path


async def until(reached: Callable[[], Any], what: str) -> None:
    deadline_ns = mono_ns() + int(SHOWN_S * 1e9)
    while not await reached():
        assert mono_ns() < deadline_ns, what
        await asyncio.sleep(ROUND_S)


async def test_prometheus_takes_the_page_and_everything_that_ships_has_data(
    house: tuple[Stage, dict[str, str]], tmp_path: Path
) -> None:
    one, keys = house
    over = asyncio.Event()
    playing = asyncio.create_task(traffic(one, keys, over))
    missing: list[str] = expressions()
    async with Prometheus(configured(tmp_path, one.port)) as prometheus:

        async def all_shown() -> bool:
            missing[:] = [expression for expression in missing if not await prometheus.query(expression)]
            return not missing

        await until(all_shown, f"no data for {missing}")
        (target,) = (await prometheus.ask("/api/v1/targets"))["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        groups = (await prometheus.ask("/api/v1/rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"} and len(rules) > 20, rules
        known = {found["metric"]["__name__"] for found in await prometheus.query('{__name__=~"gw_.+"}')}
        assert metrics_in(RULES.read_text()) | metrics_in(" ".join(expressions())) <= known
        spent = await prometheus.query('gw_ledger_cost_usd_total{kind="billed",key="anna"}')
    over.set()
    await playing
    assert float(spent[0]["value"][1]) > 0


async def test_new_names_follow_the_conventions(house: tuple[Stage, dict[str, str]], tmp_path: Path) -> None:
    """promtool's own opinion; what was named before it was asked stays named so."""
    one, _ = house
    page = await call(one.port, "/metrics", method="GET", headers=[("authorization", f"Bearer {TOKEN}")])
    kept = [
        line
        for line in page.body.decode().splitlines(keepends=True)
        if not re.match(r"(# \w+ )?gw_(keeper_|errors|calls|tokens|build\b)", line)
    ]
    promtool("check", "metrics", folder=tmp_path, text="".join(kept))


@pytest.mark.parametrize("shown", ["", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
@pytest.mark.parametrize("path", ["/metrics", "/healthz/accounting"])
async def test_whoever_does_not_show_the_token_reads_nothing(
    house: tuple[Stage, dict[str, str]], path: str, shown: str
) -> None:
    one, _ = house
    answer = await call(one.port, path, method="GET", headers=[("authorization", shown)] if shown else [])
    assert answer.status == 401 and answer.header("www-authenticate").startswith("Bearer") and b"gw_" not in answer.body
    assert (await call(one.port, "/healthz", method="GET")).status == 200
    right = await call(one.port, path, method="GET", headers=[("authorization", f"bearer {TOKEN}")])
    assert right.status == 200
