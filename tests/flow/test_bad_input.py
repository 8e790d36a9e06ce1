"""Bad input of every kind: what the client gets and what the row says, case by case; and the gateway goes on serving."""

import asyncio
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import anthropic
import pytest

from gw.demo import answers
from gw.domain.key import mint
from tests.flow.cases import CASES, DOWN, FULL, KEYLESS, MIB, NOWHERE, OPUS, STUCK, TOUCHY, Case
from tests.flow.client import Answer, Wire, call
from tests.flow.stage import JSON, OWN, Stage, prompt, session, stage
from tests.support.gateway import held_port

IN_CONFIG = {
    "ada": "",
    "narrow": 'models = ["claude-haiku-*"]',
    "elsewhere": 'upstreams = ["down"]',
    "gone": "active = false",
    "late": "expires = 2026-01-01T00:00:00Z",
}


def table(name: str, model: str, base_url: str, more: str = 'api_key = "env:GW_TEST_UPSTREAM_KEY"') -> str:
    return f'[[upstream]]\nname = "{name}"\nmodels = ["{model}"]\nbase_url = "{base_url}"\n{more}\n'


@pytest.fixture(scope="module")
def stuck_port() -> Iterator[int]:
    """A port on which nobody accepts: its queue is full, so further connections wait for ever."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = int(server.getsockname()[1])
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield port


@pytest.fixture(scope="module")
def deaf_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with held_port() as held:
        yield int(held.getsockname()[1])


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    keys = {name: mint().text for name in (*IN_CONFIG, "unknown")}
    good = keys["ada"]
    keys["malformed"] = good[:-1]
    keys["mistyped"] = good[:20] + ("A" if good[20] != "A" else "B") + good[21:]
    return keys


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str], stuck_port: int, deaf_port: int
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("bad")
    more = "[routing]\nqueue_s = 0\n"
    more += table("down", DOWN, f"http://127.0.0.1:{deaf_port}")
    more += table("nowhere", NOWHERE, "http://gw-test.invalid")
    more += table("stuck", STUCK, f"http://127.0.0.1:{stuck_port}", 'connect_timeout_s = 0.3\napi_key = "x"')
    more += table("keyless", KEYLESS, "http://127.0.0.1:9", 'api_key = "env:GW_TEST_NOT_SET"')
    for name, extra in IN_CONFIG.items():
        more += f'[[key]]\nname = "{name}"\nsecret = "env:GW_TEST_KEY_{name.upper()}"\n{extra}\n'
    environ = {f"GW_TEST_KEY_{name.upper()}": keys[name] for name in IN_CONFIG}
    with stage(folder, upstream=f'models = ["{OPUS}", "claude-haiku-5-5", "mystery-*"]', more=more, environ=environ) as one:
        config = one.gateway.process.config
        touchy = "first_byte_timeout_s = 0.4\nidle_timeout_s = 0.4\npool_max = 0\n" + 'api_key = "env:GW_TEST_UPSTREAM_KEY"'
        more = table("touchy", TOUCHY, one.upstream.base_url, touchy)
        more += table("full", FULL, one.upstream.base_url, "connections_max = 1\nconnect_timeout_s = 0.3")
        config.write_text(config.read_text() + more)
        keys["revoked"] = revoked_key(one)
        one.gateway.poll(lambda: asyncio.run(probe(one, keys["revoked"])) == "revoked_key", "the revocation")
        yield one


def revoked_key(house: Stage) -> str:
    """A key of the database, revoked there."""

    def gw_key(verb: str, *more: str) -> str:
        command = [sys.executable, "-m", "gw", "key", verb, "--config", str(house.gateway.process.config), "bob", *more]
        done = subprocess.run(command, env=house.gateway.process.environ, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = json.loads(gw_key("create", "--json"))
    gw_key("revoke")
    return str(made["key"])


async def probe(house: Stage, key: str) -> str:
    return (await call(house.port, headers=[("x-api-key", key)], body=prompt())).header("x-gw-error")


def credentials(who: str, keys: dict[str, str]) -> list[tuple[str, str]]:
    if who == "own":
        return [OWN]
    return [("x-api-key", keys[who])] if who != "none" else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(house: Stage, keys: dict[str, str], case: Case) -> None:
    if case.reply is not None:
        house.played.answers[case.name] = case.reply
    headers = [*credentials(case.who, keys), JSON, ("x-test-id", case.name), *case.headers]
    answer = asyncio.run(call(house.port, case.path, method=case.method, headers=headers, body=case.body))
    assert answer.clean
    judge_answer(case, answer)
    judge_body(case, answer, house)
    judge_row(case, answer, house)


def judge_answer(case: Case, answer: Answer) -> None:
    assert answer.status == case.status, answer.body
    assert answer.header("x-gw-error") == case.slug
    assert answer.header("x-should-retry") == case.retry
    assert answer.header("retry-after") == case.after
    assert answer.header("request-id").startswith("gw_")


def judge_body(case: Case, answer: Answer, house: Stage) -> None:
    if case.slug:
        assert answer.json["request_id"] == answer.header("request-id")
        assert answer.json["type"] == "error"
        assert answer.json["error"]["type"] == case.type
        message = answer.json["error"]["message"]
        assert case.says in message and "\n" not in message
        return
    house.gateway.poll(lambda: len(house.lines(case.name)) == 1, "the upstream's own line")
    (line,) = house.lines(case.name)
    assert answer.header("x-gw-upstream-request-id") == line.request_id
    sent, received = line.response_bytes, answer.body
    assert hashlib.sha256(received[:sent]).hexdigest() == line.response_sha256
    if case.ends is None:
        assert len(received) == sent
        return
    kind, phrase = case.ends
    event = received[sent:].strip(b"\n")
    assert event.startswith(b"event: error\ndata: ")
    error = json.loads(event.removeprefix(b"event: error\ndata: "))["error"]
    assert error["type"] == kind and phrase in error["message"]
    assert received.count(b"event: error") == 1
    assert not sent or received.partition(b"event: error")[0].endswith(b"\n\n"), "the event under way was not closed"


def judge_row(case: Case, answer: Answer, house: Stage) -> None:
    assert len(house.played.requests.get(case.name, [])) == case.sent
    call_id = answer.header("request-id")
    if case.row is None:
        assert not house.gateway.rows("call_id = ?", [call_id])
        return
    outcome, error, source, billed = case.row
    (row,) = house.gateway.settled(lambda rows: len(rows) == 1, "call_id = ?", [call_id])
    assert (row["outcome"], row["error"], row["usage_source"]) == (outcome, error, source)
    assert (row["list_pusd"] > 0, row["billed_pusd"] > 0) == (billed, billed)
    assert row["status"] == answer.status
    if not case.slug:
        assert row["upstream_status"] == answer.status


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_of_65_mib_is_refused_before_it_is_all_there(house: Stage, chunked: bool) -> None:
    async def upload() -> Answer:
        async with await Wire.open(house.port) as wire:
            if not chunked:
                wire.send_head("POST", "/v1/messages", [OWN], f"Content-Length: {65 * MIB}")
                return await wire.rest(await wire.head())
            wire.send_head("POST", "/v1/messages", [OWN], "Transfer-Encoding: chunked")
            piece = b"%x\r\n%b\r\n" % (MIB, bytes(MIB))
            for _ in range(65):
                await wire.write(piece)
            return await wire.rest(await wire.head())

    answer = asyncio.run(upload())
    assert (answer.status, answer.header("x-gw-error"), answer.json["error"]["type"]) == (
        413,
        "body_too_large",
        "request_too_large",
    )
    (row,) = house.gateway.settled(lambda rows: len(rows) == 1, "call_id = ?", [answer.header("request-id")])
    assert (row["outcome"], row["error"], row["list_pusd"]) == ("refused", "body_too_large", 0)


def test_head_requests_get_no_body_and_no_surprise(house: Stage) -> None:
    for path, status in {
        "/": 200,
        "/api/hello": 200,
        "/healthz": 200,
        "/v1/messages": 405,
        "/v1/models": 405,
        "/nope": 404,
    }.items():
        answer = asyncio.run(call(house.port, f"/anthropic{path}", method="HEAD"))
        assert (path, answer.status) == (path, status)


def test_a_refused_connection_serves_the_next_request(house: Stage) -> None:
    async def twice() -> list[int]:
        async with await Wire.open(house.port) as wire:
            statuses = []
            for body in (b"nonsense", prompt(stream=False), b"[]", prompt()):
                await wire.send("POST", "/v1/messages", [OWN], body)
                statuses.append((await wire.rest(await wire.head())).status)
            return statuses

    assert asyncio.run(twice()) == [400, 200, 400, 200]


def test_a_full_upstream_is_529_and_costs_nothing(house: Stage) -> None:
    async def both() -> tuple[Answer, Answer]:
        body = prompt("[play:events 30 30]", model=FULL)
        first = asyncio.ensure_future(call(house.port, headers=[OWN, ("x-test-id", "full")], body=body))
        while not house.played.requests.get("full"):
            await asyncio.sleep(0.01)
        return await call(house.port, headers=[OWN, session("full")], body=body), await first

    second, first = asyncio.run(both())
    assert first.status == 200 and first.clean
    assert (second.status, second.header("x-gw-error"), second.header("retry-after")) == (529, "upstream_saturated", "2")
    assert second.json["error"]["type"] == "overloaded_error" and "connections_max" in second.json["error"]["message"]
    (row,) = house.gateway.session_rows("full", 1)
    assert (row["outcome"], row["usage_source"], row["list_pusd"]) == ("refused", "none", 0)


REFUSED_ONCE = [("unknown", OPUS), ("late", OPUS), ("narrow", OPUS), ("ada", KEYLESS), ("ada", OPUS)]


@pytest.mark.parametrize(("who", "model"), REFUSED_ONCE, ids=[f"{who}-{model}" for who, model in REFUSED_ONCE])
def test_the_official_sdk_sends_a_final_refusal_once(house: Stage, keys: dict[str, str], who: str, model: str) -> None:
    name = f"sdk-{who}-{model}"
    house.played.answers[name] = answers.error(401, "authentication_error", "invalid x-api-key")
    with (
        anthropic.Anthropic(
            base_url=f"{house.gateway.base_url}/anthropic",
            api_key=keys[who],
            max_retries=2,
            default_headers={"x-claude-code-session-id": name, "x-test-id": name},
        ) as client,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        client.messages.create(model=model, max_tokens=16, messages=[{"role": "user", "content": "hi"}])
    assert caught.value.response.headers["x-should-retry"] == "false"
    rows = house.gateway.session_rows(name, 1)
    assert len(rows) == 1 and rows[0]["call_id"] == caught.value.request_id


def test_after_all_that_the_gateway_serves_as_on_its_first_day(house: Stage) -> None:
    answer = asyncio.run(call(house.port, headers=[OWN, session("after")], body=prompt()))
    assert (answer.status, answer.clean) == (200, True)
    ready = house.ready()
    assert (ready["ready"], ready["in_flight"], ready["workers"], ready["degraded"]) == (True, 0, 1, [])
    log = house.gateway.process.log_end(1 << 20)
    assert "died" not in log and "Traceback" not in log, log
    workers = {row["worker"] for row in house.gateway.rows()}
    assert len(workers) == 1, "a worker was restarted"
