"""`gw me`: a developer asks the gateway, and is told what it says or why it did not."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gw import statusline
from gw.cli import main
from gw.domain.account import Account
from gw.domain.fill import Fill
from gw.domain.limit import Limit
from gw.domain.scope import Scope
from gw.domain.window import LIFETIME
from gw.wire.me import SessionCost, me
from tests.support.asked import AskedGateway
from tests.wire.test_budgets import NOW_US, standing

VARIABLES = ("GW_KEY", "GW_URL", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS")
ANNA = Account("0123456789ab", "anna", "platform", "acme", ("claude-*",))
LIMITS = [
    Fill(Limit("bursts", Scope("key", "anna"), "requests", 60, 60 * 10**9, 1200), "anna", -3, 4 * 10**9),
    Fill(Limit("pace", Scope("team", "platform"), "usd", 5_000_000, 86_400 * 10**9, 1_000_000), "platform", 1_000_000),
    Fill(Limit("few", Scope("key", "anna"), "parallel", 4), "anna", 3),
]
WHOLE = me(
    ANNA,
    [standing("8.25", "9.5"), standing("12", limit="10", window=LIFETIME, account="[bold]x[/bold]", mode="soft")],
    LIMITS,
    SessionCost("0c1f", 7, 420_000_000_000),
    NOW_US,
)


def gw(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["me", *arguments], env=dict.fromkeys(VARIABLES) | environ)


def test_everything_is_in_two_tables():
    with AskedGateway(WHOLE) as gateway:
        done = gw("--url", gateway.url, "--key", "gwk_x", "--session", "0c1f")
        ((target, headers),) = gateway.requests
    assert done.exit_code == 0, done.output
    assert (target, headers["x-gw-key"]) == ("/api/me?session=0c1f", "gwk_x")
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[:2] == ['key "anna" of team "platform" of customer "acme", models claude-*', "session 0c1f: $0.42 in 7 calls"]
    assert any(line.startswith('b team "platform" daily hard $8.25 $1.25 $0.50 $10.00 ') for line in lines)
    assert 'b team "[bold]x[/bold]" lifetime soft $12.00 $0.00 $0.00 $10.00 never' in lines
    assert 'bursts key "anna" requests 60 s 1,200 -3 4 s 60' in lines
    assert 'pace team "platform" usd 86400 s $1 $1 $5' in lines
    assert 'few key "anna" parallel at once 3 4' in lines


def test_json_is_what_the_gateway_said():
    with AskedGateway(WHOLE) as gateway:
        done = gw("--json", GW_URL=gateway.url, GW_KEY="gwk_x")
    assert json.loads(done.output) == json.loads(WHOLE)


def test_nothing_that_applies_is_said_so_and_an_own_credential_by_its_digest():
    with AskedGateway(me(Account(credential="c0ffee"), [], [], None, NOW_US)) as gateway:
        done = gw(ANTHROPIC_BASE_URL=gateway.url, ANTHROPIC_API_KEY="sk-own")
        ((_, headers),) = gateway.requests
    assert headers["x-api-key"] == "sk-own" and "x-gw-key" not in headers
    assert done.output == "your own credential, here known as ~c0ffee\nNo budget and no limit applies to your calls.\n"


def test_without_an_address_it_is_the_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with AskedGateway(me(ANNA, [], [], None, NOW_US)) as gateway:
        port = gateway.url.rpartition(":")[2]
        (tmp_path / "config.toml").write_text(f"[server]\nport = {port}\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("GW_CONFIG", raising=False)
        done = gw("--key", "gwk_x")
        assert gateway.requests[0][0] == "/anthropic/api/me" and done.exit_code == 0


def test_without_a_key_it_says_what_to_do():
    done = gw("--url", "http://127.0.0.1:1")
    assert done.exit_code == 1 and "there is no key: give --key, or set GW_KEY" in done.output


FAILURES = [
    (
        401,
        b'{"type": "error", "error": {"message": "No virtual key x is known here."}}',
        "answered 401: No virtual key x is known",
    ),
    (404, b"<html>", "answered 404: it is no gateway that knows /api/me"),
    (200, b"<html>", "answered 200: it is no gateway"),
    (401, b'{"error": {"message": "a\\u001b[31mb"}}', "answered 401: a?[31mb"),
]


@pytest.mark.parametrize(("status", "body", "words"), FAILURES)
def test_a_refusal_is_one_line(status: int, body: bytes, words: str):
    with AskedGateway(body, status) as gateway:
        done = gw("--url", gateway.url, "--key", "gwk_x")
    assert done.exit_code == 1 and words in done.output and done.output.count("\n") == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "gw.example.com", "http://["])
def test_a_gateway_that_is_not_there_is_one_line(url: str):
    done = gw("--url", url, "--key", "gwk_x")
    assert done.exit_code == 1 and "cannot be asked" in done.output and done.output.count("\n") == 1


def test_a_key_that_is_no_header_is_one_line():
    done = gw("--url", "http://127.0.0.1:1", "--key", "gwk_x\r\nx: y")
    assert done.exit_code == 1 and "Traceback" not in done.output and done.output.count("\n") == 1


def test_the_status_line_is_a_command_too(monkeypatch: pytest.MonkeyPatch):
    said = []
    monkeypatch.setattr(statusline, "main", lambda: said.append(os.environ.get("GW_KEY")))
    assert CliRunner().invoke(main, ["statusline"]).exit_code == 0 and len(said) == 1
