"""What becomes of calls at the limit of a budget, as the budget itself says: another model, a wait, another upstream."""

import asyncio
from pathlib import Path

import pytest

from tests.flow.landscape import landscape
from tests.flow.test_routing_flow import HAIKU, OPUS, PLACES, SONNET, ask, whole

SPENT = """
[[budget]]
name = "reds"
team = "red"
limit_usd = "0.000002"
window = "day"
mode = "soft"
{at_limit}
"""
DENIES = """
[[rule]]
name = "all sonnets"
then = "stop"
when = {{ model = "{model}" }}
do = {{ {does} }}
"""


async def test_calls_of_a_spent_budget_go_to_its_model_and_those_of_others_do_not(tmp_path: Path) -> None:
    text = PLACES + SPENT.format(at_limit=f'on_exceed_model = "eu/{HAIKU}"')
    async with landscape(tmp_path, text) as house:
        first = whole(await house.send(ask(OPUS), key="ada")).row
        second = whole(await house.send(ask(OPUS), key="ada")).row
        other = whole(await house.send(ask(OPUS), key="bob")).row
        assert [(one.upstream, one.sent_model) for one in (first, second, other)] == [("home", ""), ("eu", HAIKU), ("home", "")]
        assert second.route == "rule:budget reds" and 0 < second.billed_pusd < first.billed_pusd


async def test_calls_of_a_spent_budget_wait(tmp_path: Path) -> None:
    async with landscape(tmp_path, PLACES + SPENT.format(at_limit="on_exceed_wait_s = 0.3")) as house:
        took_s = []
        for _ in range(2):
            begun = asyncio.get_running_loop().time()
            whole(await house.send(ask(OPUS), key="ada"))
            took_s.append(asyncio.get_running_loop().time() - begun)
        assert took_s[1] >= 0.3, took_s


@pytest.mark.parametrize(("does", "status", "sent"), [('deny = "not now"', 400, ""), (f'model = "{SONNET}"', 200, HAIKU)])
async def test_a_spent_budget_has_the_last_word_of_where_to_but_not_against_a_ban(
    tmp_path: Path, does: str, status: int, sent: str
) -> None:
    text = PLACES + SPENT.format(at_limit=f'on_exceed_model = "{HAIKU}"') + DENIES.format(model=OPUS, does=does)
    async with landscape(tmp_path, text) as house:
        whole(await house.send(ask(HAIKU), key="ada"))
        answered = await house.send(ask(OPUS), key="ada")
        assert (answered.status, answered.row.sent_model) == (status, sent)


@pytest.mark.parametrize(("elsewhere", "served"), [("true", "eu"), ("false", "")])
async def test_a_spent_budget_of_an_upstream_sends_its_calls_on_if_it_says_so(
    tmp_path: Path, elsewhere: str, served: str
) -> None:
    text = f"""
[[budget]]
name = "home at most"
upstream = "home"
limit_usd = "0.001"
window = "day"
on_exceed_elsewhere = {elsewhere}
[[route]]
model = "claude-*"
candidates = [{{ upstream = "home" }}, {{ upstream = "eu", priority = 2 }}]
"""
    async with landscape(tmp_path, PLACES + text) as house:
        first = whole(await house.send(ask(HAIKU), key="ada"))
        assert first.row.upstream == "home"
        answered = first
        while answered.status == 200 and answered.row.upstream == "home":
            answered = await house.send(ask(HAIKU), key="ada")
        if served:
            assert (answered.status, answered.row.upstream) == (200, served)
            assert answered.headers["x-gw-attempts"].startswith("home 0 budget_exceeded ")
        else:
            assert (answered.status, answered.headers["x-gw-error"]) == (429, "budget_exceeded")
