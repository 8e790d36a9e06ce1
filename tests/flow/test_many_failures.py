"""Two upstreams of different dialects that fail at random, clients of three dialects that leave at random: what was answered to
its end is in the ledger at the price of the upstream's invoice, and nothing is held at the end.
"""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw.config.load import load
from gw.demo import answers
from gw.demo.exchange import Hangup, Pause, Reply, Request, Reset, Script
from gw.domain.call import CallRecord
from gw.startup import prepare_state
from gw.worker import Worker
from tests.flow.places import Json, Places, status_of
from tests.support.fakes.ground import UPSTREAMS
from tests.support.fakes.scenes import CAP
from tests.support.fakes.server import Bills, answer, keys
from tests.support.fakes.words import SYSTEM
from tests.support.one_worker import Client, scope

CALLS, AT_ONCE = 160, 16
LEAVES = "leaves"
PAIRS = [
    ("chat", "gpt-5.6", "gemini", "gemini-3-pro-preview"),
    ("converse", "global.anthropic.claude-opus-5-5", "responses", "gpt-5.6"),
]
CONFIG = """
[server]
state_dir = "state"
ping_interval_s = 1
[storage]
url = "sqlite:///state/gw.db"
[routing]
retry_base_ms = 1
retry_percent = 100
retry_floor = 10000
breaker_failures = 1000
breaker_calls_min = 100000
[[route]]
model = "claude-*"
candidates = [
    {{ upstream = "{first}", model = "{first_model}" }},
    {{ upstream = "{second}", model = "{second_model}", priority = 2 }},
]
[[key]]
name = "ada"
team = "a"
secret = "env:GW_TEST_ADA"
[[team]]
name = "a"
[[budget]]
name = "team"
team = "*"
each = true
limit_usd = 100
window = "day"
[[budget]]
name = "places"
upstream = "*"
each = true
limit_usd = 100
window = "day"
"""


def moody(dice: random.Random) -> Script:
    """The fakes, of whose answers a part comes to grief."""

    def script(request: Request) -> Reply:
        reply, mood = answer(request), dice.random()
        slowly = LEAVES.encode() in request.body
        if mood < 0.55 or slowly:
            pause = Pause(0.06 if slowly else 0.001)  # so slow that a client's leaving is seen
            return answers.with_steps(reply, [step for each in reply.steps for step in (pause, each)])
        if mood < 0.65:
            return replace(answers.whole(b'{"error":{"message":"of the test"}}', status=dice.choice([429, 500, 503])), usage=None)
        if mood < 0.75:
            return Reply(0, (), (Hangup(),))
        if mood < 0.85:
            return replace(answers.until(reply, 2, Reset()), framing="chunked")
        if mood < 0.92:
            return Reply(200, answers.SSE_HEADERS, (Pause(0.01), Reset()), framing="chunked")
        return replace(reply, headers_after=0.02)

    return script


class TwoPlaces(Places):
    def __init__(self, folder: Path, dice: random.Random) -> None:
        super().__init__(folder, moody(dice), moody(dice))
        self.bills = self.upstream.invoice = Bills()

    async def begin(self, folder: Path, pair: tuple[str, str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        home = f"http://127.0.0.1:{await self.upstream.start()}"
        await self.second.start()
        first, first_model, second, second_model = pair
        names = [line.split("{")[1].rstrip('}"') for line in UPSTREAMS.splitlines() if line.startswith("base_url = ")]
        text = CONFIG.format(first=first, first_model=first_model, second=second, second_model=second_model)
        config = folder / "config.toml"
        config.write_text(text + UPSTREAMS.format(**{name: f"{home}/{name}" for name in names}))
        for name, value in {**keys(), "GW_TEST_ADA": self.key}.items():
            monkeypatch.setenv(name, value)
        loaded = load(config)
        self.state_dir.mkdir(mode=0o700)
        await asyncio.to_thread(prepare_state, loaded, config)
        self.app.worker = worker = Worker(self.state_dir)
        worker._tick()  # it sees clients that leave

    async def say(self, nth: int, dice: random.Random) -> Client:
        """A question in one of three dialects; a part of the clients leave while they are answered."""
        leaves = nth % 7 == 3
        tag = f"{LEAVES}{nth}" if leaves else f"n{nth}"
        path, body = dice.choice([claude, chat, gemini])(tag, stream=leaves or dice.random() < 0.6)
        client = Client(json.dumps(body).encode())
        headers = ((b"x-api-key", self.key.encode()), (b"x-claude-code-session-id", b"s%d" % nth))
        asking = asyncio.ensure_future(self.app(scope(path=path, headers=headers), client.receive, client.send))
        if leaves or dice.random() < 0.1:
            await asyncio.sleep(dice.random() * 0.02)
            client.leave()
        await asking
        return client


def claude(tag: str, *, stream: bool) -> tuple[str, Json]:
    user = {"role": "user", "content": f"[scene:plain {tag}]"}
    body = {"model": "claude-opus-5-5", "max_tokens": CAP, "stream": stream, "system": SYSTEM, "messages": [user]}
    return "/v1/messages", body


def chat(tag: str, *, stream: bool) -> tuple[str, Json]:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"[scene:plain {tag}]"}]
    return "/v1/chat/completions", {"model": "claude-opus-5-5", "max_tokens": CAP, "stream": stream, "messages": messages}


def gemini(tag: str, *, stream: bool) -> tuple[str, Json]:
    verb = "streamGenerateContent" if stream else "generateContent"
    body = {
        "contents": [{"role": "user", "parts": [{"text": f"[scene:plain {tag}]"}]}],
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "generationConfig": {"maxOutputTokens": CAP},
    }
    return f"/genai/v1beta/models/claude-opus-5-5:{verb}", body


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}-{pair[2]}")
async def test_completed_calls_are_what_was_invoiced(
    tmp_path: Path, pair: tuple[str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(str(pair))
    house = TwoPlaces(tmp_path, dice)
    await house.begin(tmp_path, pair, monkeypatch)
    try:
        clients = []
        for begin in range(0, CALLS, AT_ONCE):
            clients += await asyncio.gather(*(house.say(begin + nth, dice) for nth in range(AT_ONCE)))
        rows = house.new_records()
        await house.upstream_empty()
        compare(rows, house.bills)
        seen = Counter(row.outcome for row in rows)
        assert seen["completed"] > CALLS // 2 and seen["client_gone"] and seen["upstream_error"]
        assert {row.upstream for row in rows if row.outcome == "completed"} == {pair[0], pair[2]}
        answered = sum(client.ended and status_of(client) == 200 for client in clients)
        assert answered >= seen["completed"]
        house.assert_nothing_is_left()
        spent = {place: sum(-(-row.billed_pusd // 1000) for row in rows if row.upstream == place) for place in (pair[0], pair[2])}
        for account, (settled, aside) in house.used_nusd().items():
            budget, _, name = account.partition(":")
            assert aside == 0 and settled == (sum(spent.values()) if budget == "team" else spent[name]), account
    finally:
        await house.close()


def compare(rows: list[CallRecord], bills: Bills) -> None:
    """Each completed call has its invoice, at the same price, and every whole answer was a row: exact, unless its client left."""
    by_id = {row.upstream_request_id: row for row in rows if row.upstream_request_id}
    whole = {bill.request_id: bill for bill in bills.bills()}
    completed = [row for row in rows if row.outcome == "completed"]
    assert len({row.call_id for row in rows}) == len(rows)
    assert all(row.usage_source == "exact" for row in completed)
    assert sum(row.billed_pusd for row in completed) == sum(whole[row.upstream_request_id].cost_pusd for row in completed) > 0
    unread = [row for row in rows if not row.upstream_request_id and row.outcome in {"client_gone", "upstream_error"}]
    assert len(whole.keys() - by_id.keys()) <= len(unread)  # it was sent, and nobody was there to read it
    for request_id in whole.keys() & by_id.keys():
        row, bill = by_id[request_id], whole[request_id]
        if row.usage_source == "exact":
            assert row.billed_pusd == bill.cost_pusd
        else:
            assert row.outcome in {"client_gone", "upstream_error"}, row
