"""`gw logs`: its filters, a gateway elsewhere, and following calls through connections that break."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import astuple

from gw import cli_logs
from gw.cli_live import Event, events, follow, place_of
from gw.cli_logs import SHOWN, LogLines, logs, query_of
from gw.cli_reports import money_of
from gw.ledger.audit import read_audit
from gw.ledger.database import database_of
from gw.ledger.log_shown import call_json
from gw.live.framing import event, lost
from tests.content.keeping import Store
from tests.ledger.records import record
from tests.test_cli_reports import journal, site  # noqa: F401

TOKEN = "gwa_of-the-test"


def call(number: int, **changes: Any) -> bytes:
    made = record(f"c{number}", **{"key_name": "ci", "billed_pusd": 5 * 10**9, **changes})
    return json.dumps(call_json(number, astuple(made), SHOWN.split(","))).encode()


class Gateway:
    """Says what it was told to, one answer for each request: (status, body)."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []  # path, query, headers
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                gateway.asked.append((parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers))
                status, body = gateway.answers.pop(0) if gateway.answers else (503, b"")
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    found = Gateway()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_gateway_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GW_URL", "GW_ADMIN_TOKEN", "GW_KEY", "GW_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(logs, arguments)


def test_filters_and_options_are_the_parameters_of_the_api() -> None:
    assert query_of(("team=a,b", "status.gte=400"), {"session": "5e*5", "sought": "ci", "since": "all", "until": None}) == {
        "team": "a,b",
        "status.gte": "400",
        "session_id": r"5e\*5*",
        "q": "ci",
    }


WRONG = [
    (("teem=x",), 'did you mean "team"?'),
    (("team",), "write COLUMN=VALUE"),
    (("status.gte=x",), "must be a whole number"),
    (("--since", "never"), "must be a moment"),
    (("--fields", "nope", "--json"), "there is no column nope"),
    (("--url", "gw.example.com"), "set GW_ADMIN_TOKEN"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code in (1, 2) and said in result.output, result.output


def test_filters_narrow_the_ledger_of_this_machine(site: Path) -> None:  # noqa: F811
    journal(site, {"team": "red", "billed_pusd": 10**12}, {"team": "blue"}, {"team": "red"})
    result = run("--config", str(site), "team=r*", "billed_usd.gt=0", "--json", "--fields", "call_id,cost_usd")
    assert json.loads(result.stdout) == {"seq": 1, "call_id": "c0", "billed_usd": "1"}
    listed = run("--config", str(site), "--sort", "billed_usd", "-n", "2").stdout.splitlines()
    assert "1.0000" in listed[-1] and len(listed) == 3


def test_calls_are_found_by_what_was_said_and_that_is_noted(site: Path) -> None:  # noqa: F811
    site.write_text(site.read_text() + '[content]\nstore = "all"\n')
    journal(site, {"team": "red"}, {"team": "blue"}, {"team": "red"})
    store = Store(f"sqlite:///{site.parent / 'state' / 'gw.db'}")
    for at, team in enumerate(("red", "blue")):
        store.request(f"c{at}", b'{"messages":[{"role":"user","content":"to Zanzibar"}]}', team=team, session_id=f"s{at}")
    found = run("--config", str(site), "--content", "zanz*", "team=red", "--json", "--fields", "call_id")
    assert json.loads(found.stdout) == {"seq": 1, "call_id": "c0"}, found.output
    (noted,) = read_audit(database_of(store.address), 9)
    assert (noted.action, noted.name, noted.after_json) == ("search_conversations", "zanz*", '{"calls":1}')
    assert "must hold a word" in run("--config", str(site), "content=...").output
    assert "does not go with --follow" in run("--config", str(site), "content=a", "-f").output


def test_a_gateway_elsewhere_is_asked_page_by_page(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GW_KEY", "gwk_of-a-developer")
    monkeypatch.setenv("GW_URL", f"{gateway.url}/anthropic")
    pages = [([call(3), call(2)], "more"), ([call(1)], None)]
    for items, cursor in pages:
        body = b'{"items":[%b],"next_cursor":%b}' % (b",".join(items), json.dumps(cursor).encode())
        gateway.answers.append((200, body))
    result = run("team=red", "-n", "3")
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 4 and "0.0050" in result.stdout
    (path, query, headers), (_, second, _) = gateway.asked
    assert path == "/api/logs" and query["team"] == "red" and query["sort"] == "-ended_at" and second["cursor"] == "more"
    assert headers["authorization"] == "Bearer gwk_of-a-developer"
    gateway.answers.append((422, b'{"detail":"d","hint":"Do it.","errors":[{"field":"team","message":"is wrong"}]}'))
    refused = run("team=red")
    assert refused.exit_code == 1 and "answered 422: team: is wrong Do it." in refused.output
    gateway.answers.append((502, b"<html>"))
    assert "is it a gateway of this version?" in run().output


def test_calls_are_followed_through_broken_connections(gateway: Gateway) -> None:
    gateway.answers = [
        (200, b"retry: 2000\n: live\n\n: after 4\n\n" + event(5, b'{"call_id":"c5"}') + b"id: 6\nevent: call\ndata: {\"call"),
        (503, b""),
        (200, event(6, b'{"call_id":"c6"}') + b": still here\n\n" + lost("events", 9, 3)),
    ]
    waits, told = list[float](), list[str]()

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    found = list(follow(place_of(gateway.url, TOKEN), {"team": "red"}, wait, told.append))
    assert found == [Event("call", 5, {"call_id": "c5"}), Event("call", 6, {"call_id": "c6"}), Event("lost", 9, {"count": 3})]
    assert ["last-event-id" in headers for _, _, headers in gateway.asked] == [False, True, True]
    assert gateway.asked[1][2]["last-event-id"] == "5" and gateway.asked[0][1] == {"team": "red"}
    assert waits == [0.5, 1.0, 0.5] and told == []


def test_a_gateway_that_is_not_there_is_waited_for(gateway: Gateway) -> None:
    gateway.server.server_close()
    told, waits = list[str](), iter([False, True])
    assert list(follow(place_of(gateway.url, TOKEN), {}, lambda _: next(waits), told.append)) == []
    assert len(told) == 1 and "is not there" in told[0]


def test_follow_shows_calls_and_what_was_lost(gateway: Gateway, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    class Once:
        def wait(self, _: float) -> bool:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_logs, "Event", Once)
    monkeypatch.setenv("GW_ADMIN_TOKEN", TOKEN)
    stream = event(5, call(5, outcome="timed_out")) + lost("events", 9, 3)
    gateway.answers = [(200, b'{"items":[],"next_cursor":null}'), (200, stream)]
    result = run("--url", gateway.url, "--follow", "--since", "1h")
    assert result.exit_code == 0, result.output
    assert "timed_out" in result.stdout and "3 calls were not shown" in result.stderr
    assert "since" in gateway.asked[0][1] and "since" not in gateway.asked[1][1]


def test_events_of_several_lines_are_put_together() -> None:
    lines = [b"event: call\n", b"id: 7\r\n", b'data: {"a":\n', b"data: 1}\n", b"\n", b"\n", b"data: {}\n", b"\n"]
    assert list(events(lines)) == [Event("call", 7, {"a": 1}), Event("call", 7, {})]


def test_a_call_that_failed_over_is_marked_with_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = LogLines(money_of(exact=False))
    attempts = '[["first",529,"upstream_overloaded_error",31],["first",0,"reset",2]]'
    left = json.loads(call(1, upstream="first", outcome="timed_out", status=0, error="upstream_first_byte_timeout"))
    for one in (left, json.loads(call(2, upstream="second", attempts=attempts)), json.loads(call(3))):
        lines.show(one)
    said = capsys.readouterr().out.splitlines()[1:]
    assert said[0].endswith("upstream_first_byte_timeout at first, tried again")
    assert said[1].endswith(" at second after first 529, first reset")
    assert "after" not in said[2] and "again" not in said[2]
