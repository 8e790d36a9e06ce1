"""`gw bench` on a gateway that is one: figures for people and programs, and an error where they are worth nothing."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from gw.cli import main
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.loadgen.histogram import Histogram
from gw.loadgen.trial import ask, spread

VARIABLES = ("GW_KEY", "GW_URL", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS")
PACE = ("--rps", "100", "--seconds", "0.2", "--yes")


@contextmanager
def upstream(asked: list[Request]) -> Iterator[str]:
    lock = threading.Lock()

    def script(request: Request) -> Reply:
        with lock:
            asked.append(request)
        return by_prompt(request)

    with UpstreamThread(script) as thread:
        yield thread.base_url


def bench(*arguments: str, answer: str = "", **environ: str) -> Result:
    return CliRunner().invoke(main, ["bench", *arguments], input=answer, env=dict.fromkeys(VARIABLES) | environ)


def figures(done: Result) -> dict[str, object]:
    """Whether the machine kept to the schedule is not what is tested here."""
    found = json.loads(done.stdout)
    assert done.exit_code == (1 if found["worthless"] else 0), done.output
    return found


def test_calls_are_counted_and_their_key_and_size_are_as_asked():
    asked: list[Request] = []
    with upstream(asked) as url:
        found = figures(bench("--url", f"{url}/", "--key", "gwk_x", "--body-kb", "3", "--json", *PACE))
    assert (found["due"], found["answered"], found["failed"]) == (20, 20, {})
    assert len(asked) == 20 and {request.header("x-api-key") for request in asked} == {"gwk_x"}
    assert {len(request.body) for request in asked} == {3000} and asked[0].path == "/v1/messages"
    assert "first_byte_ms" not in found and set(found["latency_ms"]) == {"p50", "p90", "p99", "p99.9", "max"}


def test_streams_are_measured_to_their_first_byte():
    asked: list[Request] = []
    with upstream(asked) as url:
        found = figures(bench("--stream", "--json", *PACE, GW_URL=url, ANTHROPIC_AUTH_TOKEN="gwk_x"))
    assert found["answered"] == 20 and found["events"] > 60 and found["first_byte_ms"]
    assert asked[0].header("authorization") == "Bearer gwk_x" and json.loads(asked[0].body)["stream"] is True


def test_people_get_a_table():
    with upstream([]) as url:
        done = bench("--url", url, "--key", "k", "--stream", *PACE)
    assert done.stdout.startswith("20 of 20 calls answered in ")
    assert [line[:12] for line in done.stdout.splitlines()[3:]] == ["latency, ms ", "to the first", "generator la"]


def test_calls_that_fail_fail_the_command():
    done = bench("--url", "http://127.0.0.1:1", "--key", "k", *PACE)
    assert done.exit_code == 1 and "failed: 20 x connect: ConnectionRefusedError" in done.stdout
    assert "20 of 20 calls failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--key", "k"), "there is no gateway"),
        (("--url", "http://h"), "there is no key"),
        (("--url", "h:1", "--key", "k", "--yes"), "is not an address"),
        (("--url", "http://127.0.0.1:1", "--key", "a\nb", "--yes"), "line break"),
        (("--url", "http://h", "--key", "k", "--rps", "0"), "--rps"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], says: str):
    done = bench(*arguments)
    assert done.exit_code != 0 and says in done.output


def test_who_does_not_say_yes_makes_no_call():
    asked: list[Request] = []
    with upstream(asked) as url:
        done = bench("--url", url, "--key", "k", answer="n\n")
    assert done.exit_code == 1 and not asked and "100 calls of claude-haiku-4-5" in done.output


def test_a_request_is_as_large_as_asked_or_as_small_as_it_can_be():
    assert len(ask("m", 500, stream=False)) == 500
    assert json.loads(ask("m", 1, stream=True))["messages"][0]["content"] == "Say hello. "


def test_spreads_are_milliseconds():
    assert spread(Histogram([1_000_000])) == dict.fromkeys(("p50", "p90", "p99", "p99.9", "max"), 1.0)
