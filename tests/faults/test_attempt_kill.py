"""kill -9 of a worker between and within the attempts of one call: what the keeper makes of it, and of what was set aside."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from msgspec.structs import replace

from gw.demo import answers
from gw.demo.exchange import Chunk, Pause, Reply, Request, Script
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.faults.ground import open_calls, until
from tests.faults.load import body, headers
from tests.faults.processes import family, kill
from tests.faults.purse import Pot, cells, differences
from tests.flow.client import Wire
from tests.requires import need
from tests.support.gateway import GatewayUnderTest, Row

KEY = mint().text
POTS = [Pot("places", "upstream", "*", "1000", "typical"), Pot("teams", "team", "*", "1000", "worst", "day")]
CONFIG = """
[routing]
retry_base_ms = 1
[[upstream]]
name = "second"
provider = "{provider}"
base_url = "{url}"
api_key = "sk-second"
{its}
[[route]]
model = "claude-*"
candidates = [{{ upstream = "fake" }}, {{ upstream = "second", model = "{model}", priority = 2 }}]
[[team]]
name = "crew"
[[key]]
name = "crew"
team = "crew"
secret = "env:GW_TEST_CREW"
"""
RATES = {"claude-haiku-5-5": (100_000, 500_000), "lab-1": (200_000, 600_000)}  # pico-USD a token, fresh and output
LAB = """
[[pricing.override]]
name = "lab"
upstream = "second"
input = "0.20"
output = "0.60"
"""
CHAT = [("content-type", "text/event-stream")]


class Ground(NamedTuple):
    gateway: GatewayUnderTest
    first: UpstreamThread
    second: UpstreamThread

    async def killed(self, session: str, events: int, sent: Callable[[], bool]) -> bytes:
        """A stream is asked for; once `events` of its pieces have come and `sent` says so, its worker is killed."""
        found = b""
        async with await Wire.open(self.gateway.process.port) as wire:
            await wire.send("POST", "/v1/messages", headers(session, KEY), body("events 400 20", stream=True))
            if events:
                answer = await wire.head()
                assert answer.status == 200, answer.headers
                for _ in range(events):
                    found += await wire.chunk()
            await until(sent, "the moment to kill", 10)
            kill(*family(self.gateway).workers)
            assert await wire.ended() or events
        return found

    async def rows(self, session: str, count: int = 1) -> list[Row]:
        """All that the keeper has made of it; then nothing is open, nothing is set aside, and budgets agree with the rows."""
        gateway = self.gateway
        await until(lambda: len(gateway.rows("session_id = ?", [session])) >= count, "the rows", 10)
        await until(lambda: open_calls(gateway) == 0, "the end of open calls", 5)
        await until(lambda: not any(cell.reserved for cell in cells(gateway).values()), "the end of all holds", 5)
        assert not differences(POTS, gateway.rows(), cells(gateway))
        rows = gateway.rows("session_id = ?", [session])
        assert len(rows) == count
        return rows


@contextmanager
def ground(
    folder: Path, first: Script, second: Script = by_prompt, *, model: str = "claude-haiku-5-5", upstream: str = "", **more: str
) -> Iterator[Ground]:
    need("/proc", Path("/proc/self/stat").exists(), "run this suite on Linux")
    with ExitStack() as stack:
        one, two = (stack.enter_context(UpstreamThread(script)) for script in (first, second))
        said: dict[str, Any] = {"provider": "anthropic", "its": "", **more}
        config = CONFIG.format(url=two.base_url, model=model, **said) + "".join(pot.toml for pot in POTS)
        config += LAB if model == "lab-1" else ""
        environ = {"GW_TEST_CREW": KEY}
        gateway = stack.enter_context(
            GatewayUnderTest(folder, one.base_url, upstream=upstream, more=config, environ=environ)
        )
        yield Ground(gateway, one, two)


def overloaded(request: Request) -> Reply:
    return answers.error(529, "overloaded_error", "Overloaded")


def silent(request: Request) -> Reply:
    return replace(by_prompt(request), headers_after=60)


def always() -> bool:
    return True


def must_be_observed(row: Row, model: str) -> None:
    """Of the second upstream, at the price of the model that it was asked for."""
    assert (row["upstream"], row["sent_model"], row["error"]) == ("second", model, "worker_died"), row
    assert (row["outcome"], row["usage_source"]) == ("stopped", "observed"), row
    fresh, output = RATES[model]
    assert row["input_tokens"] > 0 and row["output_tokens"] > 0
    assert (row["input_pusd"], row["output_pusd"]) == (row["input_tokens"] * fresh, row["output_tokens"] * output)
    assert row["billed_pusd"] == row["input_pusd"] + row["output_pusd"] + row["cache_write_5m_pusd"]


async def test_killed_in_the_middle_of_a_second_attempt(tmp_path: Path) -> None:
    with ground(tmp_path, overloaded) as here:
        found = await here.killed("s", 12, lambda: bool(here.first.invoice.lines()))
        (row,) = await here.rows("s")
        must_be_observed(row, "claude-haiku-5-5")
        assert b"message_start" in found and (row["attempt_of"], row["route"]) == ("", "route:claude-*")
        assert orjson.loads(row["attempts"])[0][:3] == ["fake", 529, "upstream_overloaded_error"]
        await until(lambda: bool(here.second.invoice.lines()), "the bill", 5)
        (line,) = here.second.invoice.lines()
        assert line.usage is not None and line.end == "cut_by_client"
        assert row["input_tokens"] == line.usage["input_tokens"]
        assert row["cache_write_5m_tokens"] == line.usage["cache_creation_input_tokens"]


async def test_killed_after_an_attempt_that_was_billed_and_within_the_next(tmp_path: Path) -> None:
    with ground(tmp_path, silent, upstream="first_byte_timeout_s = 0.3") as here:
        await here.killed("s", 8, always)
        first, second = await here.rows("s", 2)
        assert (first["upstream"], first["error"], first["usage_source"]) == ("fake", "upstream_first_byte_timeout", "estimated")
        assert first["billed_pusd"] > 0 and second["attempt_of"] == first["call_id"]
        must_be_observed(second, "claude-haiku-5-5")


async def test_killed_while_a_retry_waits_costs_nothing(tmp_path: Path) -> None:
    """The upstream has charged nothing for its 500, and nobody has been asked since."""

    def soon(request: Request) -> Reply:
        return answers.error(500, "api_error", "once more", (("retry-after", "2"),))

    with ground(tmp_path, soon, upstream="max_retries = 2") as here:
        await here.killed("s", 0, lambda: bool(here.first.invoice.lines()) and open_calls(here.gateway) == 1)
        (row,) = await here.rows("s")
        assert (row["upstream"], row["error"], row["outcome"]) == ("fake", "worker_died", "stopped")
        assert (row["usage_source"], row["billed_pusd"], row["list_pusd"]) == ("none", 0, 0)
        assert orjson.loads(row["attempts"])[0][:3] == ["fake", 500, "upstream_api_error"]
        assert len(here.first.invoice.lines()) == 1 and not here.second.invoice.lines()


async def test_killed_while_the_second_upstream_has_not_answered(tmp_path: Path) -> None:
    """It was asked, so it may charge: by estimate, and at its own price."""
    with ground(tmp_path, overloaded, silent) as here:
        await here.killed("s", 0, lambda: here.second.upstream.calls_started == 1)
        (row,) = await here.rows("s")
        assert (row["upstream"], row["sent_model"], row["usage_source"]) == ("second", "claude-haiku-5-5", "estimated")
        assert row["billed_pusd"] == row["input_tokens"] * RATES["claude-haiku-5-5"][0] > 0


def chat_stream(*, tells: bool) -> Script:
    """Chat Completions. `tells`: its usage as it goes, as vLLM does with continuous_usage_stats; else only at its end."""

    def script(request: Request) -> Reply:
        assert request.path == "/v1/chat/completions", request.path
        steps: list[Any] = []
        base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": request.head.model}
        for number in range(400):
            delta = {"content": f"word {number} "} if number else {"role": "assistant", "content": ""}
            usage = {"prompt_tokens": 77, "completion_tokens": number, "total_tokens": 77 + number} if tells else None
            chunk = {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": usage}
            steps += [Chunk(b"data: %b\n\n" % orjson.dumps(chunk), number), Pause(0.02)]
        return Reply(200, tuple(CHAT), tuple(steps), framing="chunked")

    return script


@pytest.mark.parametrize("tells", [True, False])
async def test_a_translated_stream_whose_worker_is_killed_is_settled_as_observed(tmp_path: Path, tells: bool) -> None:
    """What was observed of another dialect is what the tap has heard of it in Anthropic's words. A prompt of which the upstream
    has not said yet what it came to is not free: it is estimated."""
    chat = {"model": "lab-1", "provider": "custom", "its": 'dialect = "chat"'}
    with ground(tmp_path, overloaded, chat_stream(tells=tells), **chat) as here:
        found = await here.killed("s", 12, always)
        assert b"content_block_delta" in found and b"chat.completion" not in found
        (row,) = await here.rows("s")
        assert (row["upstream"], row["sent_model"], row["error"]) == ("second", "lab-1", "worker_died")
        assert row["usage_source"] == ("observed" if tells else "estimated"), row
        assert row["input_tokens"] == 77 if tells else row["input_tokens"] > 77, row
        assert row["output_tokens"] >= 10, row
        assert row["billed_pusd"] == row["input_tokens"] * RATES["lab-1"][0] + row["output_tokens"] * RATES["lab-1"][1]
