"""The status line: short, in time, and never in the way, whatever the gateway does."""

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw import clock, statusline
from gw.domain.account import Account
from gw.domain.scope import Scope
from gw.domain.window import LIFETIME
from gw.wire.me import SessionCost, me
from tests.support.asked import AskedGateway
from tests.support.claims import allowed
from tests.wire.test_budgets import NOW_US, STANDINGS, standing
from tests.wire.test_me import encodable

ROOT = Path(__file__).parents[1]
KEY = "gwk_of_the_test"
SAID = {"session_id": "0c1f", "model": {"display_name": "Opus"}, "cost": {"total_cost_usd": 0.4249}}
PATIENCE_S = 20.0  # of the test, for a process of a busy machine


def document(*standings, cost_pusd: int | None = 420_000_000_000) -> dict[str, Any]:
    session = None if cost_pusd is None else SessionCost("0c1f", 3, cost_pusd)
    return statusline.parsed(me(Account("id", "anna", "platform"), standings, [], session, NOW_US))


ANNA = standing("3.1", scope=Scope("key", "anna"), account="anna")
TEAM = standing("2400", limit="2500")
SESSION = standing("0.42", limit="5", scope=Scope("session", "*"), account="0c1f", window=LIFETIME)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


LINES = [
    (document(ANNA), SAID, "$0.42 session · $3.10 of $10.00 today · resets 00:00"),
    (document(ANNA, TEAM), SAID, "$0.42 session · $3.10 of $10.00 today · resets 00:00"),
    (document(TEAM), SAID, "$0.42 session · $2400.00 of $2500.00 today (team platform) · resets 00:00"),
    (document(ANNA, SESSION), SAID, "$0.42 session · $0.42 of $5.00 this session"),
    (document(standing("99", mode="shadow")), SAID, "$0.42 session"),
    (document(cost_pusd=0), SAID, "$0.00 session"),
    (document(cost_pusd=4_400_000_000), SAID, "$0.0044 session"),
    (document(ANNA, cost_pusd=None), SAID, "~$0.42 session · $3.10 of $10.00 today · resets 00:00"),
    ({}, SAID, "~$0.42 session · no word from the gateway"),
    ({}, {}, "no word from the gateway"),
    (None, SAID, "~$0.42 session"),
    (None, {}, "no cost yet"),
]


@pytest.mark.parametrize(("found", "said", "line"), LINES)
def test_the_line_says_what_the_session_cost_and_what_is_left(found, said, line):
    assert statusline.line(found, statusline.parsed(json.dumps(said).encode()), NOW_US) == line


def test_an_old_word_is_said_to_be_old_and_a_spent_budget_is_red():
    assert statusline.line(document(), SAID, NOW_US, 180_000_000).endswith(" · 3 min old")
    spent = statusline.line(document(standing("10.02")), SAID, NOW_US, colour=True)
    assert "\x1b[31m$10.02 of $10.00 today (team platform) · resets 00:00\x1b[0m" in spent
    assert "\x1b[33m" in statusline.line(document(standing("8")), SAID, NOW_US, colour=True)


def test_a_reset_is_a_time_within_a_day_and_a_date_beyond():
    assert statusline.reset_text("2026-11-23T13:29:00Z", NOW_US) == "13:29"
    assert statusline.reset_text("2026-12-01T00:00:00Z", NOW_US) == "Dec 1"
    assert [statusline.reset_text(text, NOW_US) for text in ("", "soon", "0001-01-01T00:00:00+14:00")] == ["", "", ""]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {}, optional={name: JSON for name in ("session", "budgets", "cost", "session_id", "state", "spent_usd")}
)
ODD_BUDGETS = st.lists(
    st.fixed_dictionaries(
        {"limit_usd": st.sampled_from(["1", "nan", "-1", "1e9", "x", 3]) | JSON},
        optional={
            name: JSON for name in ("spent_usd", "remaining_usd", "period", "scope", "account", "resets_at", "state", "mode")
        },
    ),
    max_size=3,
)


@given(FIELDS, FIELDS, ODD_BUDGETS)
def test_whatever_is_said_it_is_one_line(found, said, budgets):
    for one in ({**found, "budgets": budgets}, found):
        text = statusline.parsed(json.dumps(one).encode())
        line = statusline.line(text, statusline.parsed(json.dumps(said).encode()), NOW_US, colour=True)
        assert re.sub("\x1b\\[[0-9]+m", "", line).isprintable() and line


@given(st.lists(STANDINGS.filter(encodable), max_size=4))
def test_whatever_a_gateway_says_it_is_one_short_line(ones):
    line = statusline.line(document(*ones), SAID, NOW_US)
    assert line.isprintable() and len(line) < 200


@given(st.binary(max_size=200))
def test_what_is_no_object_is_none(text):
    assert isinstance(statusline.parsed(text), dict)


def test_amounts_of_json_are_read_as_they_are_written():
    assert statusline.parsed(b'{"cost": {"total_cost_usd": 0.1}}')["cost"]["total_cost_usd"] == Decimal("0.1")
    assert statusline.parsed(b"[" * 100_000) == {}


CREDENTIALS = [
    ({"GW_KEY": "a", "ANTHROPIC_AUTH_TOKEN": "b", "ANTHROPIC_API_KEY": "c"}, {"x-gw-key": "a"}),
    ({"ANTHROPIC_AUTH_TOKEN": "b", "ANTHROPIC_API_KEY": "c"}, {"authorization": "Bearer b", "x-api-key": "c"}),
    ({"ANTHROPIC_API_KEY": "c"}, {"x-api-key": "c"}),
    (
        {"ANTHROPIC_CUSTOM_HEADERS": "X-Gw-Key: d\nX-Gw-Project: alpha\nX-Other: e", "ANTHROPIC_API_KEY": "c"},
        {"x-gw-key": "d", "x-gw-project": "alpha"},
    ),
    ({}, {}),
]


@pytest.mark.parametrize(("environ", "headers"), CREDENTIALS)
def test_the_gateway_is_asked_as_claude_code_would_call_it(environ, headers):
    assert statusline.credential(environ) == headers


def test_what_was_asked_a_moment_ago_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def refresh(path: Path, *_: object) -> None:
        asked.append(path)
        path.write_text('{"key": {}}')
        os.utime(path, ns=(0, 1_000_000_000_000))

    monkeypatch.setattr(statusline, "_refresh", refresh)
    environ = {"GW_URL": "http://gw", "GW_KEY": KEY, "XDG_CACHE_HOME": str(tmp_path)}
    for now_us, times in ((10**9, 1), (10**9 + 999_999, 1), (10**9 + 1_000_000, 2), (10**9 - 1, 3)):
        monkeypatch.setattr(clock, "wall_us", lambda now_us=now_us: now_us)
        assert statusline._document(environ, "s")[0] == {"key": {}} and len(asked) == times
    statusline._document(environ, "another session")
    statusline._document({**environ, "GW_KEY": "another"}, "s")
    assert len(set(asked)) == 3


# --- the process --------------------------------------------------------------------------------------------------------


class Desk:
    """Runs the command as Claude Code does."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home / ".cache" / "gw"

    def run(self, url: str, said: bytes = json.dumps(SAID).encode(), **environ: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gw", "statusline"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(self.home), "TZ": "UTC", "NO_COLOR": "1"}
            | {"ANTHROPIC_BASE_URL": url, "GW_KEY": KEY}
            | environ,
            input=said,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
        return done.stdout.decode().strip()

    def cached(self) -> list[Path]:
        return sorted(self.cache.glob("statusline-*.json"))

    def await_cache(self) -> None:
        deadline = clock.mono_ns() + int(PATIENCE_S * 1e9)
        while not self.cached():
            assert clock.mono_ns() < deadline, "nothing was fetched"
            threading.Event().wait(0.01)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def body() -> bytes:
    return me(Account("id", "anna"), [standing("3.1", window=LIFETIME)], [], SessionCost("0c1f", 3, 420_000_000_000), NOW_US)


def test_a_gateway_that_answers_is_shown_and_kept_for_the_user_alone(desk: Desk):
    with AskedGateway(body()) as gateway:
        line = desk.run(f"{gateway.url}/anthropic/")
        desk.await_cache()  # on a busy machine the answer may have come too late for the first line
        assert line in ("$0.42 session · $3.10 of $10.00 in all (team platform)", "~$0.42 session · no word from the gateway")
        ((target, headers),) = gateway.requests
        assert target == "/anthropic/api/me?session=0c1f" and headers["x-gw-key"] == KEY
    (path,) = desk.cached()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(desk.cache.stat().st_mode) == 0o700
    assert KEY not in path.name and KEY.encode() not in path.read_bytes()
    assert desk.run(f"{gateway.url}/anthropic/") == "$0.42 session · $3.10 of $10.00 in all (team platform)"


def test_a_gateway_that_does_not_answer_is_not_waited_for(desk: Desk):
    with AskedGateway(body()) as gateway:
        gateway.may_answer.clear()
        began = clock.mono_ns()
        assert desk.run(gateway.url) == "~$0.42 session · no word from the gateway"
        assert clock.mono_ns() - began < allowed(statusline.FETCH_S) * 1e9
        assert desk.cached() == []
        gateway.may_answer.set()
        desk.await_cache()  # what the first run left behind went on
        gateway.may_answer.clear()
        assert desk.run(gateway.url) == "$0.42 session · $3.10 of $10.00 in all (team platform)"


ODD_ANSWERS = [
    (401, b'{"type": "error", "error": {"message": "no"}}', ()),
    (404, b"<html>", ()),
    (200, b"<html>", ()),
    (200, b"[]", ()),
    (302, body(), (("location", "/elsewhere"),)),
]


@pytest.mark.parametrize(("status", "answer", "headers"), ODD_ANSWERS)
def test_an_answer_that_is_no_document_changes_nothing(desk: Desk, status: int, answer: bytes, headers):
    with AskedGateway(answer, status, headers) as gateway:
        assert desk.run(gateway.url) == "~$0.42 session · no word from the gateway"
    assert desk.cached() == [] and all(target.startswith("/api/me") for target, _ in gateway.requests)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://x", "http://[", "http://127.0.0.1:99999999", "x", "http://"])
def test_an_address_that_leads_nowhere_is_no_error(desk: Desk, url: str):
    assert desk.run(url) == "~$0.42 session · no word from the gateway"


@pytest.mark.parametrize("said", [b"", b"nonsense", b"[]", b'{"session_id": 7, "cost": "x"}', b"\xff\xfe"])
def test_stdin_may_hold_anything(desk: Desk, said: bytes):
    assert desk.run("", said, GW_KEY="") == "no cost yet"


def test_a_cache_that_cannot_be_written_is_no_error(desk: Desk):
    (desk.home / ".cache").write_text("a file")
    assert desk.run("http://127.0.0.1:1") == "~$0.42 session · no word from the gateway"


def test_files_of_old_sessions_go(desk: Desk):
    desk.cache.mkdir(parents=True)
    old, recent = desk.cache / "statusline-old.json", desk.cache / "statusline-recent.json"
    other = desk.cache / "other.json"
    for path in (old, recent, other):
        path.write_text("{}")
    os.utime(old, (1, 1))
    os.utime(other, (1, 1))
    statusline._tidy(desk.cache)
    assert not old.exists() and recent.exists() and other.exists()


def test_the_status_line_loads_nothing_but_the_standard_library(desk: Desk):
    check = "import sys, gw.__main__, gw.statusline; print(sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    foreign = set(re.findall(r"'(\w+)'", done.stdout)) - set(sys.stdlib_module_names) - {"gw", "__main__", "__mp_main__"}
    assert not {name for name in foreign if "cython" not in name}  # what a compiled clock brings
    assert "http" not in re.findall(r"'(\w+)'", done.stdout)  # 20 ms that only the fetch pays
