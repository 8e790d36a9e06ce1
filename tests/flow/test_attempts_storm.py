"""Many calls at once, upstreams that fail at random: the ledger has what both have billed, and budgets have counted that."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw.demo import answers
from gw.demo.exchange import Hangup, Pause, Reply, Request, Reset, Script
from gw.demo.scripts import by_prompt
from tests.flow.places import Places, status_of

CALLS, AT_ONCE = 240, 24
MORE = """
[routing]
retry_base_ms = 1
retry_percent = 100
retry_floor = 10000
breaker_failures = 1000
breaker_calls_min = 100000
"""


def moody(dice: random.Random) -> Script:
    """Answers half of its calls, and fails the others in any way."""

    def script(request: Request) -> Reply:
        mood = dice.random()
        if mood < 0.5:
            return by_prompt(request)
        if mood < 0.62:
            return answers.error(529, "overloaded_error", "of the test")
        if mood < 0.74:
            return answers.error(500, "api_error", "of the test")
        if mood < 0.84:
            return Reply(0, (), (Hangup(),))
        if mood < 0.90:
            return Reply(200, answers.SSE_HEADERS, (Pause(0.01), Reset()), framing="chunked")
        if mood < 0.96:
            return answers.until(by_prompt(request), 3, Reset())
        return replace(by_prompt(request), headers_after=3)

    return script


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_fails_the_ledger_is_what_was_billed(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    house = Places(tmp_path, moody(dice), moody(dice))
    await house.start(tmp_path, first_more="max_retries = 2", more=MORE)
    try:
        statuses: Counter[int] = Counter()
        places = asyncio.Semaphore(AT_ONCE)

        async def ask(nth: int, *, stream: bool) -> None:
            async with places:
                statuses[status_of(await house.ask(stream=stream, session=f"s{nth}"))] += 1

        await asyncio.gather(*(ask(nth, stream=dice.random() < 0.5) for nth in range(CALLS)))
        rows = house.new_records()
        assert len({row.call_id for row in rows}) == len(rows) >= CALLS
        exact = {(row.upstream, row.upstream_request_id): row for row in rows if row.usage_source == "exact"}
        for name, upstream in (("first", house.first), ("second", house.second)):
            for line in upstream.invoice.lines():
                if line.billed and (line.end == "complete" or (name, line.request_id) in exact):  # or broke behind its end
                    assert exact.pop((name, line.request_id)).list_pusd == line.cost_pusd
        assert not exact, "nobody has billed these"
        last = [row for row in rows if row.call_id not in {one.attempt_of for one in rows}]
        assert len(last) == CALLS and statuses[200] > CALLS * 0.7
        for row in rows:
            assert (row.billed_pusd > 0) == (row.usage_source != "none"), row
            if row.usage_source == "none":
                assert row.status != 200, row
        billed = Counter({"first": 0, "second": 0})
        for row in rows:
            billed[row.upstream] += -(-row.billed_pusd // 1000)
        for account, (settled, aside) in house.used_nusd().items():
            budget, _, name = account.partition(":")
            assert aside == 0 and settled == (billed.total() if budget == "team" else billed[name]), account
        house.assert_nothing_is_left()
        print(dict(statuses), Counter((row.upstream, row.usage_source, row.error) for row in rows))
    finally:
        await house.close()
