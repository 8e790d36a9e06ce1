"""What is taken out before anything is kept: in texts as their readers see them, and nothing else changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw import clock
from gw.config.content_model import Content, Redact
from gw.content.redact import Redactor, rules_of
from gw.content.store import words_of
from gw.content.words import words
from tests.content.keeping import Store, content, key
from tests.content.session import stream_of

BUILT_IN = {"redact_api_keys": True, "redact_private_keys": True, "redact_emails": True}
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq+/=\nqwertyuiop\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "anthropic": "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx_-12",
    "openai": "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "virtual key": "gwk_0123456789AB_0123456789abcdefghijklmnopqrstuvABCDEF",
    "admin token": "gwa_0123456789abcdefghijklmnopqrst",
    "github": "ghp_0123456789abcdefghijABCDEFGHIJ0123",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "slack": "xoxb-123456789012-abcdefGHIJKL",
    "google": "AIza" + "b" * 35,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "private key": PEM,
    "cut private key": PEM[:60],
    "e-mail": "ada.lovelace+notes@mail.example.co.uk",
}
HARMLESS = ["sk-learn is a library", "the task-list", "AKIA is a name", "eyJ", "a@b", "-----BEGIN CERTIFICATE-----\nMII", "xoxb-"]


def redactor(**fields: Any) -> Redactor:
    return Redactor(rules_of(content(**fields)))


def body(text: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}, separators=(",", ":")).encode()


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_of_known_kinds_go(name: str) -> None:
    found = redactor(**BUILT_IN).text(f"before {SECRETS[name]} after")
    assert SECRETS[name][:20] not in found and found.startswith("before [redacted ")
    assert name == "cut private key" or found.endswith("] after")


def test_a_token_within_a_run_goes_and_so_does_a_long_one() -> None:
    found = redactor(**BUILT_IN).text(f"bearer-{SECRETS['jwt']} {SECRETS['jwt'].replace('.', 'A' * 3000 + '.', 1)}")
    assert found == "bearer-[redacted API key] [redacted API key]"


@pytest.mark.parametrize("part", ["eyJ-", "eyJaaaaaaaaaaa.eyJ-", "SG.", "sk-", "a@b.", "-----BEGIN A PRIVATE KEY-----"])
def test_no_text_takes_long(part: str) -> None:
    """Twice as much takes about twice as long: of the first it took half a minute."""
    begun_ns = clock.mono_ns()
    redactor(**BUILT_IN).text(part * (200_000 // len(part)))
    assert clock.mono_ns() - begun_ns < 5_000_000_000


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert redactor(**BUILT_IN).text(text) == text


def test_each_built_in_rule_can_be_turned_off() -> None:
    assert redactor().rules == ()
    found = redactor(redact_emails=True).text("a@example.com sk-ant-api03-AbCdEfGhIjKlMnOpQrSt")
    assert found.startswith("[redacted e-mail address] sk-ant-")


def test_own_rules_name_themselves_and_take_their_replacement_as_it_is() -> None:
    assert redactor(redact=[("ticket", "ACME-[0-9]+")]).text("see ACME-12.") == "see [redacted ticket]."
    odd = Redact(name="n", pattern="(A)", replacement=r"\1\g<0>")
    assert Redactor(rules_of(Content(redact=(odd,)))).text("A") == r"\1\g<0>"


def test_a_rule_sees_texts_without_escapes() -> None:
    found = redactor(redact=[("name", "Zoë\nÅ")]).part(json.dumps(["Zoë\nÅ"]).encode())
    assert json.loads(found) == ["[redacted name]"]


def test_only_the_string_that_changed_gets_other_bytes() -> None:
    before = b'{ "a" : "\\u0041 stays", "b":"ACME-1 \\u0041" , "c":1.50 }'
    assert redactor(redact=[("t", "ACME-1")]).part(before) == b'{ "a" : "\\u0041 stays", "b":"[redacted t] A" , "c":1.50 }'


@given(st.text())
def test_redacted_json_is_json_again(text: str) -> None:
    found = redactor(redact=[("any", "[a-e0-9\"\\\\]+")]).part(json.dumps({"k": text + "a"}).encode())
    assert "a" not in json.loads(found, strict=False).get("k", "").replace("[redacted any]", "")


@given(st.binary(max_size=200))
def test_nothing_changes_where_nothing_is_found(part: bytes) -> None:
    assert redactor(redact=[("never", "\0never\0")]).part(part) == part


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("encrypted", [False, True])
def test_no_secret_is_kept_or_indexed(sqlite: Store, name: str, encrypted: bool) -> None:
    """In the request, in a tool's input, in a stream whose pieces cut it, and in bytes that are no JSON."""
    sqlite.use(content(**BUILT_IN, **({"encryption_key": key(1)} if encrypted else {})))
    secret = SECRETS[name]
    tool = [{"role": "assistant", "content": [{"type": "tool_use", "input": {"command": f"export KEY={secret}"}}]}]
    sqlite.request("c1", body(f"my key is {secret}", more=tool))
    sqlite.answer("c1", stream_of(f"use {secret} for it", 3))
    sqlite.request("c2", f"no JSON, {secret}".encode())
    sqlite.answer("c2", body(secret))
    marks = [secret[:16], secret[-16:]] if "\n" not in secret else ["MIIEpAIB"]
    for call in ("c1", "c2"):
        for found in sqlite.raw(call):
            assert not any(mark.encode() in found for mark in marks)
            assert b"redacted" in found
    assert b"".join(one.read_bytes() for one in sqlite.database.path.parent.iterdir()).find(marks[0].encode()) < 0  # type: ignore[attr-defined]
    conversation = sqlite.library.conversation("c1")
    assert conversation is not None and conversation.answer is not None
    _, text, tool = conversation.answer["content"]
    assert "redacted" in text["text"] and "redacted" in str(tool["input"])
    if not encrypted:
        assert sqlite.library.search("redacted", 5) == ["c1"]
        with sqlite.database.reading() as db:
            assert db is not None
            assert words(marks[0]) not in words_of(db, sqlite.library.vault, 1)


def test_other_rules_hold_for_what_comes_after(sqlite: Store) -> None:
    sqlite.request("c1", body("ACME-1"))
    sqlite.use(content(redact=[("t", "ACME-[0-9]")]))
    sqlite.request("c2", body("ACME-1"))
    assert b"ACME-1" in sqlite.raw("c1")[0] and b"ACME-1" not in sqlite.raw("c2")[0]


def test_what_a_rule_takes_whole_leaves_the_rest_exact(sqlite: Store) -> None:
    sqlite.use(content(redact=[("all", ".+")]))
    sqlite.request("c", b"1")
    assert sqlite.raw("c")[0] == b"[redacted all]"
