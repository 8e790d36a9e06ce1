"""Several accounts at one upstream, and an upstream that has all the calls it may have: who is served, and where."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from tests.flow.landscape import Answered, Landscape, landscape

KEYS = """
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
ACCOUNTS = """
[[upstream]]
name = "home"
base_url = "@home@"
[[upstream.credential]]
name = "large"
api_key = "sk-large"
weight = 3
{large}
[[upstream.credential]]
name = "small"
api_key = "sk-small"
{small}
[[upstream.credential]]
name = "reserve"
api_key = "sk-reserve"
weight = 0
{reserve}
"""


def accounts(large: str = "", small: str = "", reserve: str = "") -> str:
    return KEYS + ACCOUNTS.format(large=large, small=small, reserve=reserve)


def ask(session: str = "") -> dict[str, Any]:
    headers = [("x-claude-code-session-id", session)] if session else []
    body = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return {"body": body, "headers": headers, "key": "ada"}


async def served(house: Landscape, session: str = "") -> str:
    """By which credential."""
    answered = await house.send(**ask(session))
    assert answered.status == 200, answered.body
    return house.last("home").header("x-api-key").removeprefix("sk-")


async def test_sessions_are_spread_by_weight_and_each_stays_on_one_account(tmp_path: Path) -> None:
    async with landscape(tmp_path, accounts()) as house:
        first = {str(number): await served(house, str(number)) for number in range(120)}
        again = {str(number): await served(house, str(number)) for number in range(120)}
        assert again == first
        spread = Counter(first.values())
        assert spread["reserve"] == 0 and 75 <= spread["large"] <= 105, spread  # 90 of 120 by weight
        spread = Counter([await served(house) for _ in range(120)])
        assert spread["reserve"] == 0 and 75 <= spread["large"] <= 105, spread


async def test_an_account_that_has_used_up_its_requests_is_avoided_and_all_of_them_are_a_clear_refusal(tmp_path: Path) -> None:
    config = accounts(*(f"requests_per_min = {count}" for count in (6, 4, 2)))
    async with landscape(tmp_path, config) as house:
        spread = Counter([await served(house) for _ in range(12)])
        assert spread == {"large": 6, "small": 4, "reserve": 2}
        answered = await house.send(**ask())
        assert (answered.status, answered.headers["x-gw-error"]) == (529, "upstream_saturated")
        assert 1 <= int(answered.headers["retry-after"]) <= 60 and answered.row.billed_pusd == 0
        assert len(house.seen["home"]) == 12


async def test_tokens_a_minute_are_counted_by_what_answers_used(tmp_path: Path) -> None:
    async with landscape(tmp_path, accounts(large="tokens_per_min = 20", small="tokens_per_min = 20")) as house:
        found = [await served(house) for _ in range(6)]
        assert set(found[-2:]) == {"reserve"} and {"large", "small"} <= set(found), found


async def test_an_account_that_is_throttled_is_left_for_another_and_the_session_returns(tmp_path: Path) -> None:
    resting = [""]

    def throttled(request: Request) -> Reply:
        if request.header("x-api-key") == resting[0]:
            return answers.error(429, "rate_limit_error", "of the test", (("retry-after", "1"),))
        return by_prompt(request)

    async with landscape(tmp_path, accounts(), home=throttled) as house:
        home = await served(house, "s")
        resting[0] = f"sk-{home}"
        answered = await house.send(**ask("s"))
        assert answered.status == 200 and answered.headers["x-gw-attempts"].startswith("home 429 upstream_rate_limit_error ")
        elsewhere = house.last("home").header("x-api-key").removeprefix("sk-")
        assert elsewhere != home and await served(house, "s") == elsewhere  # it rests: nobody asks it
        resting[0] = ""
        await asyncio.sleep(1.05)
        assert await served(house, "s") == home


async def test_an_account_whose_key_is_refused_costs_nobody_a_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refused(request: Request) -> Reply:
        if request.header("x-api-key") == "sk-large":
            return answers.error(401, "authentication_error", "invalid x-api-key")
        return by_prompt(request)

    async with landscape(tmp_path, accounts(), home=refused) as house:
        assert {await served(house) for _ in range(12)} == {"small"}
        asked = Counter(one.header("x-api-key") for one in house.seen["home"])
        assert asked == {"sk-small": 12, "sk-large": 1}, "it is asked once, and then rests"
        assert "sk-large" not in caplog.text and 'upstream "home"' in caplog.text


# --- a saturated upstream -------------------------------------------------------------------------------------------------------

CROWDED = """
[routing]
queue_s = {queue_s}
queue_calls_max = {calls_max}
team_weights = {{ red = 3 }}
[[upstream]]
name = "home"
base_url = "@home@"
api_key = "sk-home"
connections_max = 2
max_retries = 1
"""


def crowded(queue_s: float = 10, calls_max: int = 1000) -> str:
    return KEYS + CROWDED.format(queue_s=queue_s, calls_max=calls_max)


def slow(request: Request) -> Reply:
    return replace(by_prompt(request), headers_after=0.03)


async def test_teams_that_wait_are_served_by_their_weights(tmp_path: Path) -> None:
    """Blue asks for five times as much, and asks first."""
    async with landscape(tmp_path, crowded(), home=slow) as house:
        tasks = [asyncio.create_task(one_of(house, "bob")) for _ in range(100)]
        await asyncio.sleep(0.02)
        tasks += [asyncio.create_task(one_of(house, "ada")) for _ in range(20)]
        answered = await asyncio.gather(*tasks)
        assert all(one.status == 200 for one in answered)
        order = [one.header("x-test-team") for one in house.seen["home"]]
        begun = order.index("ada")
        while_both = order[begun : begun + 26]
        assert while_both.count("ada") == pytest.approx(19.5, abs=1.6), while_both  # three of four
        room = house.worker.ways._rooms["home"]
        assert room.taken == 0 and not room._waiting


async def one_of(house: Landscape, key: str) -> Answered:
    call = ask() | {"key": key}
    call["headers"] = [("x-test-team", key)]
    return await house.send(**call)


async def test_the_line_is_bounded_in_time_and_length(tmp_path: Path) -> None:
    def hangs(request: Request) -> Reply:
        return replace(by_prompt(request), headers_after=0.8)

    async with landscape(tmp_path, crowded(queue_s=0.3, calls_max=3), home=hangs) as house:
        tasks = [asyncio.create_task(one_of(house, "bob")) for _ in range(8)]
        answered = await asyncio.gather(*tasks)
        assert Counter(one.status for one in answered) == {200: 2, 529: 6}
        refused = [one for one in answered if one.status == 529]
        assert {one.headers["x-gw-error"] for one in refused} == {"upstream_saturated"}
        assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
        room = house.worker.ways._rooms["home"]
        assert room.taken == 0 and not room._waiting
        assert (await one_of(house, "ada")).status == 200


async def test_who_finds_no_place_in_time_goes_to_the_next_candidate(tmp_path: Path) -> None:
    def hangs(request: Request) -> Reply:
        return replace(by_prompt(request), headers_after=0.8)

    more = '[[upstream]]\nname = "spare"\nbase_url = "@spare@"\napi_key = "sk-spare"\n[[route]]\nmodel = "claude-*"\n'
    more += 'candidates = [{ upstream = "home" }, { upstream = "spare", priority = 2 }]\n'
    async with landscape(tmp_path, crowded(queue_s=0.2) + more, home=hangs) as house:
        answered = await asyncio.gather(*(one_of(house, "ada") for _ in range(4)))
        assert [one.status for one in answered] == [200] * 4
        assert house.asked() == {"home": 2, "spare": 2}
        rows = [row for one in answered for row in one.rows]
        late = [row for row in rows if row.upstream == "spare"]
        assert len(late) == 2 and all('"upstream_saturated"' in row.attempts and row.billed_pusd for row in late)
