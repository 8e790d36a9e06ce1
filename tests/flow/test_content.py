"""Content through a whole gateway: of whom it is to be kept it is, byte by byte; of others nothing is; calls never notice."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gw.config.load import load
from gw.content.library import Library, Raw
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.support.gateway import GatewayUnderTest

KEYS = {
    "kept": 'store_content = "yes"',
    "team": 'team = "platform"',
    "own-no": 'team = "platform"\nstore_content = "no"',
    "other": "",
}
CONTENT = """
[content]
store = "chosen"
max_bytes_per_call = 200000
[[content.redact]]
name = "ticket"
pattern = "ACME-[0-9]+"
[[team]]
name = "platform"
store_content = "yes"
"""


@dataclass(frozen=True)
class Ground:
    gateway: GatewayUnderTest
    keys: dict[str, str]
    library: Library

    def call(
        self, key: str, prompt: str, *, stream: bool = True, more: str = "", leave_after: int = 0
    ) -> tuple[str, bytes, bytes]:
        """The call's id, the body that was sent, the bytes that came."""
        body = json.dumps(
            {
                "model": "claude-opus-5-5",
                "max_tokens": 100,
                "stream": stream,
                "messages": [{"role": "user", "content": prompt + more}],
            }
        ).encode()
        where = urlsplit(self.gateway.base_url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
        connection.request("POST", "/v1/messages", body, {"x-api-key": self.keys[key], "content-type": "application/json"})
        response = connection.getresponse()
        came = response.read(leave_after) if leave_after else response.read()
        connection.close()
        return response.headers["request-id"], body, came

    def kept(self, call_id: str, *, answered: bool = True) -> Raw:
        found: list[Raw] = []

        def reached() -> bool:
            raw = self.library.raw(call_id)
            found[:] = [raw] if raw is not None and raw.request and (raw.answer or not answered) else []
            return bool(found)

        self.gateway.poll(reached, f"content of {call_id}")
        return found[0]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    keys = {name: mint().text for name in KEYS}
    more = CONTENT
    for at, (name, extra) in enumerate(KEYS.items()):
        more += f'[[key]]\nname = "{name}"\nsecret = "env:GW_TEST_KEY_{at}"\n{extra}\n'
    environ = {f"GW_TEST_KEY_{at}": key for at, key in enumerate(keys.values())}
    folder = tmp_path_factory.mktemp("content")
    with (
        UpstreamThread(by_prompt) as upstream,
        GatewayUnderTest(folder, upstream.base_url, more=more, environ=environ, workers=2) as gateway,
    ):
        config = load(gateway.process.config, gateway.process.environ)
        yield Ground(gateway, keys, Library(config.content, config.storage.address))


@pytest.mark.parametrize("key", ["kept", "team"])
@pytest.mark.parametrize("stream", [True, False])
def test_request_and_answer_are_kept_byte_by_byte(ground: Ground, key: str, stream: bool) -> None:
    call_id, body, came = ground.call(key, f"hello from {key} [play:thinking]", stream=stream)
    assert ground.kept(call_id) == (body, came)


@pytest.mark.parametrize("key", ["own-no", "other"])
def test_of_others_nothing_is_kept(ground: Ground, key: str) -> None:
    call_id, _, _ = ground.call(key, "hello")
    later, _, _ = ground.call("kept", "later")
    ground.kept(later)
    assert ground.library.row(call_id) is None


def test_an_answer_in_gzip_is_kept_as_it_reads(ground: Ground) -> None:
    call_id, _, came = ground.call("kept", "packed [play:gzip]")
    assert came.startswith(b"\x1f\x8b") and ground.kept(call_id).answer.startswith(b"event: message_start")


def test_an_error_is_kept_too(ground: Ground) -> None:
    call_id, _, came = ground.call("kept", "trouble [play:status 400]")
    assert ground.kept(call_id).answer == came


def test_of_a_client_that_left_there_is_what_had_come(ground: Ground) -> None:
    call_id, body, came = ground.call("kept", "long [play:events 2000 5]", leave_after=2000)
    found = ground.kept(call_id)
    assert found.request == body and found.answer.startswith(came[:500]) and b"message_stop" not in found.answer


def test_rules_hold_before_anything_is_kept(ground: Ground) -> None:
    call_id, body, _ = ground.call("kept", "see ACME-1234 please")
    assert ground.kept(call_id).request == body.replace(b"ACME-1234", b"[redacted ticket]")


def test_what_is_too_long_is_served_and_said_to_be_missing(ground: Ground) -> None:
    call_id, _, came = ground.call("kept", "long ", more="x" * 200_000)
    assert b"message_stop" in came
    ground.gateway.poll(lambda: (row := ground.library.row(call_id)) is not None and bool(row.answer_block), "the answer")
    row = ground.library.row(call_id)
    assert row is not None and (row.request_problem, row.request_block) == ("too_large", 0)


def test_the_spool_is_left_empty(ground: Ground) -> None:
    spool: Path = ground.gateway.folder / "state" / "content"
    ground.gateway.poll(lambda: not any(spool.iterdir()), "the end of all segments")
