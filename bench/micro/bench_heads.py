"""Headers both ways: what is read of a request's, what passes of an answer's."""

from itertools import cycle

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.measure import each
from gw._fast import amount_text, read_request, text_of, to_client
from gw.domain.key import mint

pytestmark = pytest.mark.benchmark(group="heads")

SMALL = [
    (b"host", b"127.0.0.1:8080"),
    (b"content-type", b"application/json"),
    (b"content-length", b"954"),
    (b"anthropic-version", b"2023-06-01"),
    (b"x-api-key", mint().text.encode()),
]
CLAUDE_CODE = [
    (b"accept", b"application/json"),
    *SMALL,
    (b"user-agent", b"claude-cli/2.1.329 (external, sdk-cli)"),
    (b"x-claude-code-session-id", b"656803f3-d070-429d-956a-efe131a55364"),
    *((b"x-stainless-" + name, b"node") for name in (b"arch", b"lang", b"os", b"package-version", b"retry-count", b"runtime")),
    (b"x-stainless-timeout", b"600"),
    (b"anthropic-beta", b"claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"),
    (b"anthropic-dangerous-direct-browser-access", b"true"),
    (b"x-app", b"cli"),
    (b"connection", b"keep-alive"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
]
ANSWER = [
    (b"date", b"Fri, 21 Nov 2025 01:00:00 GMT"),
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"transfer-encoding", b"chunked"),
    (b"connection", b"keep-alive"),
    (b"request-id", b"req_011CSHoEeqs5C35K2UUqR7Fy"),
    (b"anthropic-organization-id", b"8c2d"),
    (b"anthropic-ratelimit-requests-limit", b"4000"),
    (b"anthropic-ratelimit-requests-remaining", b"3999"),
    (b"server", b"cloudflare"),
    (b"cf-ray", b"8a123"),
]
REQUESTS = {"5 headers": SMALL, "Claude Code's 19": CLAUDE_CODE}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_like_the_last(benchmark: BenchmarkFixture, kind: str) -> None:
    headers = REQUESTS[kind]
    each(benchmark, lambda: read_request(headers))


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_unlike_the_last(benchmark: BenchmarkFixture, kind: str) -> None:
    """More of them in turn than are kept."""
    several = cycle([[*REQUESTS[kind], (b"x-request-id", b"request-%08d" % number)] for number in range(4096)])
    each(benchmark, lambda: read_request(next(several)))


@pytest.mark.parametrize("own_account", [True, False], ids=["own account", "virtual key"])
def test_an_answer(benchmark: BenchmarkFixture, own_account: bool) -> None:
    each(benchmark, lambda: to_client(ANSWER, b"gw_0193a1b2c3d4", own_account=own_account))


def test_a_value_as_text(benchmark: BenchmarkFixture) -> None:
    each(benchmark, lambda: text_of(b"656803f3-d070-429d-956a-efe131a55364"))


def test_an_amount_as_text(benchmark: BenchmarkFixture) -> None:
    each(benchmark, lambda: amount_text(43_094_000_000, 12))
