"""`gw content`."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gw.cli import main
from gw.config.content_model import encryption_key_of
from gw.ledger.audit import read_audit
from gw.ledger.database import database_of
from tests.content.keeping import Store, content, key
from tests.content.session import Talk, stream_of

BODIES = list(Talk().bodies(3))
DAY_US = 86_400_000_000


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text('[storage]\nurl = "sqlite:///gw.db"\n[content]\nstore = "all"\n')
    found = Store(f"sqlite:///{tmp_path / 'gw.db'}")
    for turn, body in enumerate(BODIES):
        found.request(f"c{turn}", body, started_us=DAY_US * (turn + 1), key_name=f"key{turn}")
        found.answer(f"c{turn}", stream_of(f"answer number{turn}"), started_us=DAY_US * (turn + 1), key_name=f"key{turn}")
    return found


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(main, ["content", *arguments], **options)


def audited(store: Store) -> list[tuple[str, str]]:
    return [(row.action, row.name) for row in read_audit(database_of(store.address), 10)]


def test_show_prints_the_conversation_and_notes_it(store: Store) -> None:
    shown = run("show", "c1")
    assert shown.exit_code == 0, shown.output
    assert "answer number1" in shown.output and "claude-opus-5-5" in shown.output and "[Bash]" in shown.output
    assert audited(store) == [("read_conversation", "c1")]


def test_show_raw_is_byte_by_byte(store: Store) -> None:
    assert run("show", "c2", "--raw", "request").stdout_bytes == BODIES[2]
    assert run("show", "c2", "--raw", "answer").stdout_bytes == stream_of("answer number2")
    assert audited(store) == [("read_conversation", "c2")] * 2


def test_show_json_is_for_programs(store: Store) -> None:
    shown = json.loads(run("show", "c0", "--json").output)
    assert shown["call_id"] == "c0" and shown["messages"] == json.loads(BODIES[0])["messages"]


def test_nothing_in_a_conversation_moves_the_terminal(store: Store) -> None:
    odd = [{"role": "user", "content": "\x1b[2J\x07"}, 5, {"content": [{"source": {}}]}]
    store.request("odd", json.dumps({"messages": odd}).encode())
    assert "\x1b[2J" not in run("show", "odd").output


def test_a_call_without_content_is_named(store: Store) -> None:
    shown = run("show", "absent")
    assert shown.exit_code == 1 and "no content is kept of absent" in shown.output
    assert audited(store) == []


def test_search_lists_calls(store: Store) -> None:
    assert run("search", "number1").output == "c1\n"
    assert run("search", "answer", "num*", "--limit", "2").output == "c2\nc1\n"
    assert run("search", "...").exit_code == 2
    assert audited(store) == [("search_conversations", "answer num*"), ("search_conversations", "number1")]


def test_purge_asks_and_leaves_the_rest_whole(store: Store) -> None:
    asked = run("purge", "--key", "key0", input="n\n")
    assert asked.exit_code == 1 and "Remove the content of 1 calls?" in asked.output
    assert store.raw("c0")[0] == BODIES[0]
    done = run("purge", "--key", "key0", "--yes")
    assert done.exit_code == 0 and "Removed the content of 1 calls" in done.output
    assert store.library.raw("c0") is None and store.raw("c2")[0] == BODIES[2]
    assert audited(store) == [("purge_conversations", "key0")]


def test_purge_before_a_date(store: Store) -> None:
    assert run("purge", "--before", "1970-01-03", "--yes").exit_code == 0
    assert [store.library.raw(f"c{turn}") is not None for turn in range(3)] == [False, True, True]


def test_purge_must_be_told_which(store: Store) -> None:
    assert run("purge", "--yes").exit_code == 2
    assert "Removed the content of 0 calls" in run("purge", "--team", "nobody", "--yes").output


def test_stats_say_what_it_takes(store: Store) -> None:
    store.dropped("c9", "request", "spool_full")
    shown = run("stats").output
    for said in ("4 calls", "%", "blocks not encrypted", "1 requests or answers were dropped"):
        assert said in shown
    assert json.loads(run("stats", "--json").output)["sent"] == sum(map(len, BODIES)) + sum(
        len(stream_of(f"answer number{turn}")) for turn in range(3)
    )


def test_stats_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Nothing is kept" in run("stats").output


def test_a_key_that_is_missing_is_said_in_one_line(store: Store) -> None:
    store.use(content(encryption_key=key(1)))
    store.request("hidden", b"not kept before")
    shown = run("show", "hidden")
    assert shown.exit_code == 1 and "Error: it is encrypted" in shown.output


def test_a_new_key_is_one() -> None:
    first, second = (run("new-key").output.strip() for _ in range(2))
    assert first != second and len(encryption_key_of(first)) == 32
