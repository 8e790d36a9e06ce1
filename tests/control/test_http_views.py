"""What the API shows: where accounts stand, who changed what, the configuration in force, how the gateway is."""

import json
from pathlib import Path

import msgspec
import pytest

from gw import clock
from gw.domain.budget import cell_key
from gw.domain.window import bounds
from gw.ops import courier_status
from gw.ops.courier_status import CourierStatus, DutyStatus
from gw.ops.ready import readiness
from gw.ops.state import Word
from tests.control.api import CONFIG, Api, serving

ACCOUNT_CONFIG = (
    CONFIG
    + """
[[budget]]
name = "ci-daily"
key = "ci"
limit_usd = "10"
window = "day"
[[budget]]
name = "platform-for-good"
team = "platform"
limit_usd = "100"
window = "lifetime"
[[budget]]
name = "each-project"
project = "*"
each = true
limit_usd = "1"
window = "month"
[[limit]]
name = "platform-parallel"
team = "platform"
parallel = 3
[[limit]]
name = "ci-usd"
key = "ci"
usd = "0.5"
per = "1h"
"""
)


def spend(api: Api, budget_id: str, account: str, nusd: int) -> None:
    """As if calls had settled so much in the window that runs now."""
    (budget,) = [one for one in api.worker.snapshot.budget_book.budgets if one.id == budget_id]
    start_us, _ = bounds(budget.window, clock.wall_us())
    cells = api.worker.state.cells
    cells.charge(cells.find(cell_key(budget, account, start_us)), nusd)


async def test_an_account_is_shown_with_every_budget_and_limit_on_its_path(tmp_path: Path, token: str) -> None:
    async with serving(tmp_path, ACCOUNT_CONFIG) as api:
        spend(api, "ci-daily", "ci", 2_500_000_001)
        spend(api, "platform-for-good", "platform", 120_000_000_000)
        view = (await api.ask("GET", "/api/accounts/key/ci")).json
        assert view["path"] == {"customer": "acme", "team": "platform", "key": "ci"} | dict.fromkeys(
            ("upstream", "model", "project", "session"), ""
        )
        assert [one["id"] for one in view["budgets"]] == ["acme-monthly", "platform-for-good", "ci-daily"], "outermost first"
        _, lifetime, daily = view["budgets"]
        money = ("limit_usd", "spent_usd", "reserved_usd", "remaining_usd")
        assert [daily[name] for name in money] == ["10", "2.500000001", "0", "7.499999999"]
        assert daily["resets_at"] > daily["started_at"] and daily["resets_at"].endswith("T00:00:00Z")
        assert [lifetime[name] for name in money] == ["100", "120", "0", "0"] and lifetime["resets_at"] is None
        limits = {one["id"]: one for one in view["limits"]}
        assert set(limits) == {"ci-rate", "ci-usd", "platform-parallel"}
        assert (limits["ci-rate"]["amount"], limits["ci-rate"]["per_s"], limits["ci-rate"]["available"]) == (60, 60, 60)
        assert (limits["ci-usd"]["amount"], limits["ci-usd"]["burst"]) == ("0.5", "0.5")
        parallel = limits["platform-parallel"]
        assert (parallel["available"], parallel["per_s"], parallel["clears_in_s"]) == (3, None, None)
        assert [one["id"] for one in (await api.ask("GET", "/api/accounts/customer/acme")).json["budgets"]] == ["acme-monthly"]
        shown = (await api.ask("GET", "/api/accounts/key/ci?project=alpha")).json["budgets"]
        assert (shown[-1]["id"], shown[-1]["account"]) == ("each-project", "alpha")
        assert (await api.ask("GET", "/api/accounts/project/alpha")).json["budgets"] == shown[-1:]


async def test_looking_at_an_account_enters_no_cell(tmp_path: Path, token: str) -> None:
    async with serving(tmp_path, ACCOUNT_CONFIG) as api:
        for at in range(10):
            await api.ask("GET", f"/api/accounts/project/p{at}")
        assert not list(api.worker.state.cells)


ACCOUNTS = [
    ("/api/accounts/keys/ci", 422, "invalid", 'did you mean "key"?'),
    ("/api/accounts/key/nobody", 404, "not_found", "nobody"),
    ("/api/accounts/team/nobody", 404, "not_found", "nobody"),
    ("/api/accounts/project/alpha?project=beta", 422, "invalid", "in the path already"),
    ("/api/accounts/key/ci?modle=x", 422, "invalid", 'did you mean "model"?'),
    (f"/api/accounts/key/ci?model={'x' * 501}", 422, "invalid", "too long"),
]


@pytest.mark.parametrize(("path", "status", "slug", "said"), ACCOUNTS, ids=range(len(ACCOUNTS)))
async def test_a_wrong_account_is_refused_by_name(api: Api, path: str, status: int, slug: str, said: str) -> None:
    assert said in (await api.ask("GET", path)).problem(status, slug)["detail"]


async def test_every_change_stands_in_the_audit_with_its_actor(api: Api) -> None:
    made = await api.ask("POST", "/api/teams", {"name": "infra"}, x_gw_actor="alice")
    await api.ask("PATCH", "/api/teams/infra", {"customer": "acme"}, if_match=made.etag, x_gw_actor="bob\x1b[0m")
    await api.ask("DELETE", "/api/teams/infra", if_match="*")
    await api.ask("DELETE", "/api/teams/infra", if_match="*")
    found = (await api.ask("GET", "/api/audit?kind=team")).json
    told = [(one["action"], one["kind"], one["name"], one["actor"], one["via"]) for one in found["items"]]
    assert told == [
        ("delete", "team", "infra", "admin token (192.0.2.7)", "api"),
        ("update", "team", "infra", "admin token (bob?[0m)", "api"),
        ("create", "team", "infra", "admin token (alice)", "api"),
    ]
    assert [one["before"] and one["before"]["customer"] for one in found["items"]] == ["acme", "", None]
    assert [one["after"] and one["after"]["customer"] for one in found["items"]] == [None, "acme", ""]
    assert found["next_cursor"] is None


async def test_the_audit_is_paged_and_filtered(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.made("customers", name=name)
    await api.made("teams", name="a")
    seen: list[str] = []
    path = "/api/audit?kind=customer&limit=2"
    while path:
        found = (await api.ask("GET", path)).json
        seen += [one["name"] for one in found["items"]]
        path = f"/api/audit?kind=customer&limit=2&cursor={found['next_cursor']}" if found["next_cursor"] else ""
    assert seen == ["c", "b", "a"]
    assert [one["kind"] for one in (await api.ask("GET", "/api/audit?name=a")).json["items"]] == ["team", "customer"]
    for query in ("kind=customers", "limit=0", "cursor=x", "cursor=0", f"cursor={2**63}", "before=1"):
        (await api.ask("GET", f"/api/audit?{query}")).problem(422, "invalid")


async def test_the_configuration_in_force_is_shown_without_its_secrets(api: Api, tmp_path: Path) -> None:
    found = await api.ask("GET", "/api/config")
    values = {one["key"]: one for one in found.json["values"]}
    assert values["upstream.0.name"]["value"] == '"fake"' and values["upstream.0.name"]["origin"].endswith("config.toml:7")
    assert values["upstream.0.api_key"] == {**values["upstream.0.api_key"], "value": '"********"', "secret": "literal"}
    assert values["server.port"]["origin"] == "default"
    assert b"sk-ant-upstream-of-the-test" not in found.body
    assert (found.json["pending"], found.json["problems"], found.json["broken"]) == (False, [], [])
    assert found.headers["cache-control"] == "no-store"


async def test_what_is_broken_is_shown(api: Api, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG + "[[team]]\nnmae = 'x'\n")
    found = (await api.ask("GET", "/api/config")).json
    assert found["pending"]
    assert {one["message"] for one in found["problems"]} == {"is required", 'unknown key; did you mean "name"?'}
    config.unlink()
    assert [one["message"] for one in (await api.ask("GET", "/api/config")).json["problems"]] == ["there is no such file"]
    config.write_text(CONFIG + "[[team]]\nname = 'more'\n")
    found = (await api.ask("GET", "/api/config")).json
    assert found["pending"] and not found["problems"]


async def test_the_status_tells_of_workers_keeper_and_a_failed_reload(api: Api, tmp_path: Path) -> None:
    found = (await api.ask("GET", "/api/status")).json
    (worker,) = found["workers"]
    assert worker["journal_healthy"] and worker["pid"] and found["ready"] and not found["draining"]
    assert found["keeper"] is None and found["reload_problem"] == "" and found["snapshot_version"] == 1
    told = {"pid": 7, "state": "running", "written_us": clock.wall_us(), "database_ok": 1, "config_problem": "config.toml:3: no"}
    (tmp_path / "state" / "keeper.json").write_text(json.dumps(told))
    api.worker.state.words[Word.DRAINING] = 1
    found = (await api.ask("GET", "/api/status")).json
    assert found["keeper"]["pid"] == 7 and found["reload_problem"] == "config.toml:3: no"
    assert (found["ready"], found["draining"], found["reasons"]) == (False, True, ["draining"])


async def test_strangers_are_told_that_the_configuration_is_broken_but_not_how(api: Api, tmp_path: Path) -> None:
    told = {"pid": 7, "state": "running", "written_us": clock.wall_us(), "database_ok": 1, "config_problem": "config.toml:3: no"}
    (tmp_path / "state" / "keeper.json").write_text(json.dumps(told))
    ready, body = readiness(api.worker.state, tmp_path / "state" / "keeper.json", clock.wall_us())
    assert ready and b"not in force" in body and b"config.toml:3" not in body


async def test_the_status_tells_what_the_courier_does(api: Api) -> None:
    assert (await api.ask("GET", "/api/status")).json["courier"] is None
    duties = {"export b": DutyStatus("paused", 2_000_000, 3, "no such bucket"), "alerts": DutyStatus("running", 1_000_000)}
    said = CourierStatus(7, 3_000_000, duties)
    (api.worker.state_dir / courier_status.STATUS_FILE).write_bytes(msgspec.json.encode(said))
    found = (await api.ask("GET", "/api/status")).json["courier"]
    assert (found["pid"], found["said_at"]) == (7, "1970-01-01T00:00:03Z")
    assert [(one["name"], one["state"], one["failures"], one["error"]) for one in found["duties"]] == [
        ("alerts", "running", 0, ""),
        ("export b", "paused", 3, "no such bucket"),
    ]
