"""A gateway of two workers: what one has found out of an upstream the other knows, and the keeper probes for both."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.flow.client import Answer, call
from tests.flow.stage import MODEL, prompt
from tests.support.gateway import GatewayUnderTest

MORE = """
[[upstream]]
name = "second"
base_url = "{second}"
api_key = "sk-second"
[[route]]
model = "claude-*"
candidates = [{{ upstream = "fake" }}, {{ upstream = "second", priority = 2 }}]
[[key]]
name = "ada"
secret = "env:GW_TEST_ADA"
"""
KEY = mint().text
Script = Callable[[Request], Reply]


class First:
    """Answers as it is told."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls = self.probes = 0

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            self.probes += 1
        else:
            self.calls += 1
        return self.script(request)


@contextmanager
def gateway(folder: Path, first: First, upstream: str = "") -> Iterator[GatewayUnderTest]:
    with UpstreamThread(first) as one, UpstreamThread(by_prompt) as second:
        more, environ = MORE.format(second=second.base_url), {"GW_TEST_ADA": KEY}
        with GatewayUnderTest(folder, one.base_url, workers=2, upstream=upstream, more=more, environ=environ) as found:
            seen: set[str] = set()
            found.poll(lambda: seen.add(worker_of(found)) or len(seen) == 2, "answers of 2 workers")
            yield found


def worker_of(found: GatewayUnderTest) -> str:
    return asyncio.run(call(found.process.port, "/who", method="GET")).header("request-id")[15:23]


def ask(found: GatewayUnderTest) -> Answer:
    return asyncio.run(call(found.process.port, headers=[("x-api-key", KEY)], body=prompt(stream=False, model=MODEL)))


def asked_of_both(found: GatewayUnderTest) -> None:
    """Calls until each of the workers has answered several."""
    served: dict[str, int] = {}

    def reached() -> bool:
        answer = ask(found)
        assert answer.status == 200, answer.body
        name = answer.header("request-id")[15:23]
        served[name] = served.get(name, 0) + 1
        return len(served) == 2 and min(served.values()) >= 3

    found.poll(reached, "calls of both workers")


def metric(found: GatewayUnderTest, name: str) -> float:
    page = asyncio.run(call(found.process.port, "/metrics", method="GET")).body.decode()
    start = f'{name}{{credential="",upstream="fake"}} '
    return next((float(line.removeprefix(start)) for line in page.splitlines() if line.startswith(start)), -1.0)


def test_a_wait_that_one_worker_is_asked_for_spares_the_other(tmp_path: Path) -> None:
    first = First(lambda request: answers.error(429, "rate_limit_error", "of the test", (("retry-after", "60"),)))
    with gateway(tmp_path, first) as found:
        asked_of_both(found)
        assert first.calls == 1 and first.probes == 0
        assert 30 < metric(found, "gw_upstream_left_alone_seconds") <= 60 and metric(found, "gw_upstream_probe_up") == -1


def test_a_place_that_does_not_answer_probes_is_left_before_a_call_fails_and_comes_back(tmp_path: Path) -> None:
    down = lambda request: answers.error(503, "api_error", "of the test")  # noqa: E731
    first = First(down)
    with gateway(tmp_path, first, "probe_s = 0.5") as found:
        found.poll(lambda: metric(found, "gw_upstream_probe_up") == 0 and first.probes >= 3, "probes that fail")
        asked_of_both(found)
        assert first.calls == 0
        first.script = by_prompt
        found.poll(lambda: metric(found, "gw_upstream_probe_up") == 1, "a probe that is answered")
        asked_of_both(found)
        assert first.calls >= 6
