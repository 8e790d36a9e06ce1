"""What goes into the content store comes out of it, byte by byte, and takes little room."""

import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gw.content.spool import REQUEST
from gw.content.spooled import Sent
from gw.content.vault import ContentError
from tests.content.keeping import Store, content, key
from tests.content.session import Talk, stream_of
from tests.content.test_slices import HOSTILE, JSON

ROOM = 0.05  # of the bodies: what a session of 200 turns may take
OFTEN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_session_of_200_turns_takes_a_twentieth_of_its_bodies(store: Store) -> None:
    """Everything counted that the store has on the disk: blocks, lists, indexes, the index of words, the answers."""
    talk = Talk()
    bodies = list(talk.bodies(200))
    empty = store.library.stats().kept
    for turn, body in enumerate(bodies):
        store.request(f"c{turn}", body, session_id=talk.session)
        store.answer(f"c{turn}", stream_of(f"the answer {turn} " * 12), session_id=talk.session)
    kept, sent = store.library.stats().kept, sum(map(len, bodies))
    with store.database.reading() as db:
        assert db is not None
        ((blocks,),) = db.execute("SELECT sum(length(data)) FROM content_block").fetchall()
    print(
        f"\n200 turns, {sent / 1e6:.1f} MB of bodies: {kept / 1e6:.2f} MB on the disk ({100 * kept / sent:.2f} %, "
        f"{100 * empty / sent:.2f} % of it an empty store), {blocks / 1e6:.2f} MB in blocks ({100 * blocks / sent:.2f} %)"
    )
    assert kept <= ROOM * sent
    for turn in (0, 1, 77, 150, 198, 199):
        assert store.raw(f"c{turn}") == (bodies[turn], stream_of(f"the answer {turn} " * 12))


def test_growth_is_linear_in_new_text(sqlite: Store) -> None:
    """The second half of a session costs about as much as the first, though its bodies are more than twice as long."""
    talk = Talk(2)
    grown = []
    for turn, body in enumerate(talk.bodies(120)):
        sqlite.request(f"c{turn}", body, session_id=talk.session)
        if turn in (19, 69, 119):
            with sqlite.database.reading() as db:
                assert db is not None
                grown.append(db.execute("SELECT sum(length(data)) FROM content_block").fetchone()[0])
    first, second = grown[1] - grown[0], grown[2] - grown[1]
    assert second < 1.35 * first


@OFTEN
@given(JSON, st.sampled_from([None, 2]))
def test_any_json_comes_back_byte_by_byte(sqlite: Store, value: Any, indent: int | None) -> None:
    body = json.dumps({"messages": [{"content": value}], "tools": value}, indent=indent).encode()
    sqlite.request("c", body)
    assert sqlite.raw("c")[0] == body


@OFTEN
@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_anything_comes_back_byte_by_byte(sqlite: Store, request_: bytes, answer: bytes) -> None:
    sqlite.request("c", request_)
    sqlite.answer("c", answer)
    assert sqlite.raw("c") == (request_, answer)


ODD = [
    b'{"a":1,"a":2,"messages":[{"content":"x","content":"y"}]}',
    b'{"messages":[{"content":1e999},{"content":-0.0},{"content":123456789012345678901234567890}]}',
    b' \r\n{ "messages" : [ ] }\t',
    b'{"messages":[{"role":"user","content":"\\ud800 \\u0000 \xff"}]}',
    b"no JSON at all",
]


@pytest.mark.parametrize("body", ODD)
def test_odd_bodies_come_back_from_either_database(store: Store, body: bytes) -> None:
    store.request("c", body)
    store.answer("c", body)
    assert store.raw("c") == (body, body)


@pytest.mark.parametrize("name", ["open brackets", "NULs", "a string that never ends", "one long text"])
def test_thirty_hostile_megabytes_are_kept_like_others(sqlite: Store, name: str) -> None:
    sqlite.use(content())
    sqlite.request("c", HOSTILE[name])
    assert sqlite.raw("c")[0] == HOSTILE[name]
    assert sqlite.library.conversation("c") is not None


def test_the_same_frame_again_changes_nothing(store: Store) -> None:
    body, answer = next(Talk().bodies(1)), stream_of("said once " * 30)
    for _ in range(3):
        store.request("c", body)
        store.answer("c", answer)
    assert store.raw("c") == (body, answer)
    first = store.library.stats()
    store.request("c", body)
    assert store.library.stats() == first and store.library.search("said", 9) == ["c"]


def test_the_answer_may_come_first_or_alone(store: Store) -> None:
    store.answer("c", b'{"content":[]}')
    assert store.raw("c") == (b"", b'{"content":[]}')
    store.request("c", b"{}")
    assert store.raw("c") == (b"{}", b'{"content":[]}')


def test_the_text_of_an_answer_and_of_the_next_request_are_one_block(sqlite: Store) -> None:
    said = " ".join(str(random.Random(5).getrandbits(60)) for _ in range(400))
    sqlite.answer("c1", stream_of(said))
    before = sqlite.library.stats().kept
    sqlite.request("c2", json.dumps({"messages": [{"role": "assistant", "content": said}]}, separators=(",", ":")).encode())
    assert sqlite.library.stats().kept == before


def test_a_compressed_answer_is_kept_as_its_reader_sees_it(store: Store) -> None:
    answer = stream_of("compressed " * 50)
    packer = zlib.compressobj(wbits=31)
    store.answer("c", packer.compress(answer) + packer.flush(), encoding="gzip")
    assert store.raw("c")[1] == answer
    store.answer("d", b"no gzip", encoding="gzip")
    store.answer("e", b"who knows", encoding="br")
    assert (store.raw("d")[1], store.raw("e")[1]) == (b"no gzip", b"who knows")
    store.use(content(redact=[("a", "a")]))
    store.answer("f", b"who knows", encoding="br")
    row = store.library.row("f")
    assert row is not None and row.answer_problem == "unreadable" and store.raw("f")[1] == b""


def test_what_was_dropped_is_said(store: Store) -> None:
    store.request("c", b"{}")
    store.dropped("c", "answer", "spool_full")
    store.dropped("c", "answer", "spool_full")
    row = store.library.row("c")
    assert row is not None and (row.request_problem, row.answer_problem, row.answer_bytes) == ("", "spool_full", 99)
    stats = store.library.stats()
    assert (stats.without, stats.sent, stats.counts["dropped_spool_full"], stats.counts["dropped_bytes"]) == (1, 2, 1, 99)


def test_a_transaction_that_fails_leaves_no_numbers_behind(store: Store) -> None:
    """What the keeper remembers of it must not be referred to."""
    bodies = list(Talk().bodies(3))
    store.request("c0", bodies[0])
    with pytest.raises(RuntimeError), store.database.changing() as db:
        store.keeper.begin(db)
        store.keeper.take(db, _sent(store, bodies[1]))
        raise RuntimeError("killed")
    store.keeper.doubt()
    store.request("c2", bodies[2])
    store.request("c1", bodies[1])
    assert [store.raw(f"c{turn}")[0] for turn in range(3)] == bodies


def _sent(store: Store, body: bytes) -> Sent:
    return Sent(REQUEST, store._note("lost", len(body), {}), body)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM content_block WHERE id = 2",
        "UPDATE content_block SET form = 1, data = x'78' WHERE id = 2",
        "UPDATE content_block SET form = 0, data = x'78' WHERE id = 2",
        "UPDATE content_block SET data = x'8080' WHERE kind = 1",
    ],
)
def test_a_missing_or_damaged_block_is_said_not_guessed(sqlite: Store, damage: str) -> None:
    sqlite.request("c", next(Talk().bodies(1)))
    with sqlite.database.changing() as db:
        db.execute(damage)
    with pytest.raises(ContentError, match=r"missing|damaged"):
        sqlite.raw("c")


# --- encryption -------------------------------------------------------------------------------------------------------


def files_of(sqlite: Store) -> bytes:
    path: Path = sqlite.database.path  # type: ignore[attr-defined]
    return b"".join(one.read_bytes() for one in path.parent.iterdir() if one.is_file())


def test_with_a_key_nothing_is_in_the_clear(sqlite: Store) -> None:
    secret = "the word is zanzibar"
    body = json.dumps({"messages": [{"role": "user", "content": secret}, {"role": "user", "content": secret * 20}]}).encode()
    sqlite.request("c1", body)
    assert b"zanzibar" in files_of(sqlite)
    path: Path = sqlite.database.path  # type: ignore[attr-defined]
    for one in path.parent.iterdir():
        one.unlink()
    sqlite = Store(f"sqlite:///{path.parent / 'other.db'}", content(encryption_key=key(1)))
    sqlite.request("c2", body)
    sqlite.answer("c2", stream_of(secret * 9))
    assert sqlite.raw("c2") == (body, stream_of(secret * 9))
    assert b"zanzibar" not in files_of(sqlite)
    with pytest.raises(ContentError, match="not indexed"):
        sqlite.library.search("zanzibar", 5)


def test_another_key_reads_nothing_and_the_former_does(store: Store) -> None:
    body = next(Talk().bodies(1))
    store.use(content(encryption_key=key(1)))
    store.request("c", body)
    store.use(content(encryption_key=key(2)))
    with pytest.raises(ContentError, match="encryption_key"):
        store.raw("c")
    store.use(content(encryption_key=key(2), former_encryption_key=key(1)))
    assert store.raw("c")[0] == body
    store.use(content())
    with pytest.raises(ContentError, match="encryption_key"):
        store.raw("c")


def test_an_encrypted_block_does_not_pass_for_another(sqlite: Store) -> None:
    sqlite.use(content(encryption_key=key(1)))
    sqlite.request("c", b'{"messages":[{"content":"one"},{"content":"two"}]}')
    with sqlite.database.changing() as db:
        db.execute("UPDATE content_block SET data = (SELECT data FROM content_block WHERE id = 3) WHERE id = 4")
    with pytest.raises(ContentError, match="another's place"):
        sqlite.raw("c")
