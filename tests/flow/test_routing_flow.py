"""Names, tiers, routes, rules and budgets decide where a call goes, and what the upstream gets to see."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.flow.landscape import Answered, landscape

OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
PLACES = """
[[upstream]]
name = "home"
base_url = "@home@"
api_key = "sk-home"
models = ["claude-*"]
[[upstream]]
name = "eu"
base_url = "@eu@"
api_key = "sk-eu"
models = ["eu-*"]
[[key]]
name = "ada"
team = "red"
secret = "#ada#"
[[key]]
name = "bob"
team = "blue"
secret = "#bob#"
[[team]]
name = "red"
[[team]]
name = "blue"
"""
# Not as any encoder would write it: what goes upstream must be these bytes.
BODY = b'{ "messages" : [{"role":"user","content":"h\\u0069 \xc3\xbc" }],\n "max_tokens": 64  , "model" :"%b","zzz":[1 ,2] }'


def ask(model: str, text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}


def whole(answered: Answered) -> Answered:
    assert answered.status == 200, answered.body
    return answered


# --- names ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "upstream", "sent", "route"),
    [
        (OPUS, "home", OPUS, ""),
        ("eu-1", "eu", "eu-1", ""),
        (f"eu/{OPUS}", "eu", OPUS, "named"),
        (f"anthropic/{SONNET}", "home", SONNET, "named"),
        ("fast", "home", HAIKU, "route:fast"),
        ("company-opus-5-5", "eu", "claude-opus-5-5", "route:company-*"),
        ("COMPANY-opus-5-5[1m]", "eu", "claude-opus-5-5", "route:company-*"),
    ],
)
async def test_a_name_says_where_a_call_goes_and_only_the_name_changes(
    tmp_path: Path, asked: str, upstream: str, sent: str, route: str
) -> None:
    routes = f"""
[[pricing.override]]
name = "any"
model = "eu-*"
input = "1"
output = "1"
[[route]]
model = "fast"
candidates = [{{ upstream = "home", model = "{HAIKU}" }}]
[[route]]
model = "company-*"
candidates = [{{ upstream = "eu", model = "claude-*" }}]
"""
    async with landscape(tmp_path, PLACES + routes) as house:
        answered = whole(await house.send(BODY % asked.encode(), key="ada"))
        assert house.asked() == {upstream: 1}
        assert house.last(upstream).body == BODY % sent.encode()
        row = answered.row
        assert (row.upstream, row.requested_model, row.route) == (upstream, asked, route)
        assert row.sent_model == ("" if sent == asked else sent)
        assert answered.json["model"] == asked, "answers keep the client's name"
        stream = whole(await house.send(ask(asked, stream=True), key="ada"))
        begun = next(line for line in stream.body.splitlines() if line.startswith(b'data: {"type":"message_start"'))
        start = orjson.loads(begun[6:])
        assert start["message"]["model"] == asked, "so do streams"


async def test_a_name_that_nobody_serves_is_refused(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES) as house:
        answered = await house.send(ask("gpt-5"), key="ada")
        assert (answered.status, answered.headers["x-gw-error"]) == (404, "no_route")
        assert not house.asked() and answered.row.billed_pusd == 0


# --- tiers ------------------------------------------------------------------------------------------------------------------


async def test_tiers_of_a_key_go_before_those_of_its_team_and_of_all(tmp_path: Path) -> None:
    tiers = f"""
[tiers]
haiku = "eu/all-haiku"
opus = "eu/all-opus"
[[tiers.override]]
team = "red"
haiku = "eu/red-haiku"
[[tiers.override]]
key = "ada"
opus = "home/{SONNET}"
[[pricing.override]]
name = "any"
upstream = "eu"
input = "1"
output = "1"
"""
    async with landscape(tmp_path, PLACES + tiers) as house:
        found = {}
        for key in ("ada", "bob"):
            for model in (HAIKU, "us.anthropic.claude-3-5-haiku-20241022-v1:0", OPUS, SONNET, f"home/{OPUS}"):
                row = whole(await house.send(ask(model), key=key)).row
                found[key, model] = f"{row.upstream}/{row.sent_model or row.requested_model} {row.route}".strip()
        old = "us.anthropic.claude-3-5-haiku-20241022-v1:0"
        assert found == {
            ("ada", HAIKU): "eu/red-haiku tier:haiku",
            ("ada", old): "eu/red-haiku tier:haiku",
            ("ada", OPUS): f"home/{SONNET} tier:opus",
            ("ada", SONNET): f"home/{SONNET}",
            ("ada", f"home/{OPUS}"): f"home/{OPUS} named",
            ("bob", HAIKU): "eu/all-haiku tier:haiku",
            ("bob", old): "eu/all-haiku tier:haiku",
            ("bob", OPUS): "eu/all-opus tier:opus",
            ("bob", SONNET): f"home/{SONNET}",
            ("bob", f"home/{OPUS}"): f"home/{OPUS} named",
        }


# --- rules ------------------------------------------------------------------------------------------------------------------

RULES = f"""
[[rule]]
name = "no secrets"
when = {{ header = {{ x-secret = "*" }} }}
do = {{ deny = "Secrets stay here: ask the security team." }}
[[rule]]
name = "watched"
then = "go on"
do = {{ deny = "Not yet.", shadow = true }}
[[rule]]
name = "marked"
then = "go on"
when = {{ team = "red" }}
do = {{ tag = ["cost=red"], max_tokens = 32 }}
[[rule]]
name = "agents"
when = {{ kind = "subagent", model = "claude-opus-*" }}
do = {{ model = "{SONNET}", effort = "low" }}
[[rule]]
name = "slow"
when = {{ key = "bob" }}
do = {{ wait_s = 0.3 }}
"""


async def test_a_rule_denies_in_its_own_words(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES + RULES) as house:
        answered = await house.send(ask(OPUS), key="ada", headers=[("x-secret", "1")])
        assert (answered.status, answered.headers["x-gw-error"]) == (400, "denied_by_rule")
        assert "Secrets stay here: ask the security team." in answered.json["error"]["message"]
        assert answered.headers["x-should-retry"] == "false"
        assert not house.asked() and answered.row.billed_pusd == 0


async def test_rules_cap_tag_and_shadow(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES + RULES) as house:
        row = whole(await house.send(ask(OPUS), key="ada")).row
        assert (row.upstream, row.tags) == ("home", "cost=red")
        assert "rule:marked" in row.route and "shadow:watched: deny" in row.route
        assert house.last("home").json == ask(OPUS) | {"max_tokens": 32}
        capped = whole(await house.send(ask(OPUS, max_tokens=16), key="ada"))
        assert house.last("home").json["max_tokens"] == 16 and capped.row.tags == "cost=red"


async def test_a_rule_downgrades_a_subagent(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES + RULES) as house:
        asked = ask(OPUS, thinking={"type": "adaptive"}, output_config={"effort": "max"})
        row = whole(await house.send(asked, key="ada", headers=[("x-claude-code-agent-id", "a1")])).row
        assert (row.requested_model, row.sent_model) == (OPUS, SONNET)
        assert row.route.startswith("rule:agents") and "rule:marked" in row.route
        sent = house.last("home").json
        assert (sent["model"], sent["max_tokens"], sent["output_config"]["effort"]) == (SONNET, 32, "low")


async def test_a_rule_slows_down(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES + RULES) as house:
        begun = asyncio.get_running_loop().time()
        whole(await house.send(ask(SONNET), key="bob"))
        took_s = asyncio.get_running_loop().time() - begun
        assert 0.3 <= took_s < 10


async def test_a_spent_soft_budget_is_rerouted_by_a_rule_and_a_hard_one_above_it_still_blocks(tmp_path: Path) -> None:
    spent = f"""
[[budget]]
name = "reds"
team = "red"
limit_usd = "0.000002"
window = "day"
mode = "soft"
[[budget]]
name = "reds at most"
team = "red"
limit_usd = "%s"
window = "day"
[[rule]]
name = "red is over"
when = {{ team = "red", budget = "reds", budget_used_percent = ">= 100" }}
do = {{ model = "{HAIKU}" }}
"""
    async with landscape(tmp_path, PLACES + spent % "10") as house:
        first = whole(await house.send(ask(OPUS), key="ada")).row
        second = whole(await house.send(ask(OPUS), key="ada")).row
        other = whole(await house.send(ask(OPUS), key="bob")).row
        assert (first.sent_model, second.sent_model, other.sent_model) == ("", HAIKU, "")
        assert second.route == "rule:red is over" and second.billed_pusd < first.billed_pusd
    other_place = tmp_path / "hard"
    other_place.mkdir()
    async with landscape(other_place, PLACES + spent % "0.000001") as house:
        blocked = await house.send(ask(OPUS), key="ada")
        assert (blocked.status, blocked.headers["x-gw-error"]) == (429, "budget_exceeded") and not house.asked()


# --- what is asked beside conversations -----------------------------------------------------------------------------------------


async def test_models_and_counts_are_answered_where_no_upstream_could(tmp_path: Path) -> None:
    chat = """
[[upstream]]
name = "lab"
provider = "custom"
base_url = "@lab@"
api_key = "sk-lab"
models = ["lab-1"]
[[route]]
model = "quick"
candidates = [{ upstream = "lab", model = "lab-1" }]
[[route]]
model = "near"
candidates = [{ upstream = "home", model = "claude-haiku-5-5" }]
"""
    async with landscape(tmp_path, PLACES + chat) as house:
        listed = whole(await house.send(b"", key="ada", path="/v1/models", method="GET"))
        assert {one["id"] for one in listed.json["data"]} >= {"quick", "near", "lab-1"} and not house.asked()
        listed = whole(await house.send(b"", key="ada", path="/openai/v1/models", method="GET"))
        assert listed.json["object"] == "list"
        counted = ask("quick", "word " * 300)
        counted.pop("max_tokens")
        estimated = whole(await house.send(counted, key="ada", path="/v1/messages/count_tokens"))
        assert estimated.headers["x-gw-estimated"] == "true" and not house.asked()
        assert 300 <= estimated.json["input_tokens"] <= 700
        passed = whole(await house.send({**counted, "model": "near"}, key="ada", path="/v1/messages/count_tokens"))
        assert house.asked() == {"home": 1} and house.last("home").json["model"] == HAIKU
        assert "x-gw-estimated" not in passed.headers and passed.json["input_tokens"] > 0
        for answered in (estimated, passed):
            assert (answered.row.endpoint, answered.row.billed_pusd) == ("count_tokens", 0)
