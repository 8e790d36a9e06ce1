"""What goes: old calls, purged calls, and the blocks that nobody needs any more; never a block that somebody does."""

import random

import pytest

from gw.content import sweep as sweeping
from gw.content.sweep import Which, counted, drop, forget_words, is_due, seal_anew, sweep
from gw.content.vault import number_of
from tests.content.keeping import Store, content, key
from tests.content.session import Talk, stream_of

DAY = 86_400_000_000


def keep(store: Store, turns: int = 12, seed: int = 1) -> dict[str, tuple[bytes, bytes]]:
    """One session; a call a day."""
    talk = Talk(seed)
    kept = {}
    for turn, body in enumerate(talk.bodies(turns)):
        call, answer = f"s{seed}c{turn}", stream_of(f"answer {turn} of {seed} " * 8)
        whose = {"started_us": (turn + 1) * DAY, "session_id": talk.session, "key_name": f"k{seed}", "team": f"t{seed}"}
        store.request(call, body, **whose)
        store.answer(call, answer, **whose)
        kept[call] = body, answer
    return kept


def clear(store: Store, which: Which) -> int:
    """Calls that went."""
    gone = 0
    while dropped := drop(store.database, store.library.vault, which):
        gone += dropped
    while is_due(store.database):
        sweep(store.database, store.library.vault)
    return gone


def test_what_is_left_is_whole_and_what_went_is_nowhere(store: Store) -> None:
    kept = keep(store) | keep(store, 5, seed=2)
    before = store.blocks()
    assert counted(store.database, Which(before_us=9 * DAY)) == 13
    assert clear(store, Which(before_us=9 * DAY)) == 13
    left = {call: both for call, both in kept.items() if call in ("s1c8", "s1c9", "s1c10", "s1c11")}
    assert {call: store.raw(call) for call in left} == left
    assert store.library.raw("s1c7") is None and store.library.search("answer of 2", 5) == []
    assert store.library.search("answer", 9) == ["s1c11", "s1c10", "s1c9", "s1c8"]
    assert 0 < store.blocks() < before


def test_when_all_calls_went_no_block_is_left(store: Store) -> None:
    keep(store)
    assert clear(store, Which()) == 12
    stats = store.library.stats()
    assert (stats.calls, stats.blocks) == (0, 0)


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (Which(key="k1"), "s2"),
        (Which(key="kid", before_us=2 * DAY), ""),
        (Which(team="t2"), "s1"),
        (Which(call_id="s1c0"), ""),
        (Which(key="nobody"), "both"),
    ],
)
def test_a_purge_takes_those_that_are_meant(sqlite: Store, which: Which, left: str) -> None:
    kept = keep(sqlite, 3) | keep(sqlite, 3, seed=2)
    clear(sqlite, which)
    there = {call for call in kept if sqlite.library.raw(call) is not None}
    wanted = {"s1": 3, "s2": 3, "both": 6}.get(left, 4 if which.before_us else 5)
    assert len(there) == wanted and (left in ("", "both") or all(call.startswith(left) for call in there))
    assert all(sqlite.raw(call) == kept[call] for call in there)


def test_what_was_removed_can_come_again(store: Store) -> None:
    """The keeper has forgotten the numbers of blocks that are gone, also where another process removed them."""
    kept = keep(store)
    other = Store(store.address)
    clear(other, Which(before_us=7 * DAY))
    for call, (body, answer) in kept.items():
        store.request(call, body)
        store.answer(call, answer)
    assert {call: store.raw(call) for call in kept} == kept


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_keeping_dropping_and_sweeping_leaves_what_is_kept_whole(sqlite: Store, seed: int) -> None:
    chance = random.Random(seed)
    waiting = [(f"t{talk}c{turn}", body) for talk in range(3) for turn, body in enumerate(Talk(talk).bodies(8))]
    kept: dict[str, bytes] = {}
    for _ in range(60):
        what = chance.randrange(5)
        if what == 0 and kept:
            call = chance.choice(list(kept))
            drop(sqlite.database, sqlite.library.vault, Which(call_id=call))
            del kept[call]
        elif what == 1:
            sweep(sqlite.database, sqlite.library.vault)
        else:
            call, body = chance.choice(waiting)
            sqlite.request(call, body)
            kept[call] = body
    assert {call: sqlite.raw(call)[0] for call in kept} == kept


def test_a_sweep_of_many_goes_on_where_it_ended(sqlite: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "REMOVED_MAX", 10)
    monkeypatch.setattr(sweeping, "_dead", lambda db, live: ([one] for one in list(dead(db, live))))
    kept = keep(sqlite)
    drop(sqlite.database, sqlite.library.vault, Which(before_us=6 * DAY))
    rounds = 0
    while is_due(sqlite.database):
        sweep(sqlite.database, sqlite.library.vault)
        rounds += 1
    assert rounds > 2 and sqlite.raw("s1c11") == kept["s1c11"]


def dead(db: object, live: bytearray) -> list[int]:
    return [number for (number,) in db.execute("SELECT id FROM content_block") if not live[number]]  # type: ignore[attr-defined]


def test_killed_between_the_calls_and_the_blocks_the_mark_stays(store: Store) -> None:
    keep(store)
    drop(store.database, store.library.vault, Which(before_us=4 * DAY))
    again = Store(store.address)
    assert is_due(again.database)
    assert sweep(again.database, again.library.vault) > 0
    assert not is_due(again.database)


def test_nothing_to_do_is_no_error(store: Store) -> None:
    assert not is_due(store.database) and counted(store.database, Which()) == 0
    assert drop(store.database, store.library.vault, Which()) == 0
    forget_words(store.database)


# --- keys -------------------------------------------------------------------------------------------------------------


def seal_all(store: Store) -> None:
    after = 0
    while after := seal_anew(store.database, store.library.vault, after):
        pass


def test_a_new_key_encrypts_what_was_there(store: Store) -> None:
    """From none to the first, from the first to the second, and back to none."""
    kept = keep(store, 4)
    both = {"encryption_key": key(2), "former_encryption_key": key(1)}
    for step in ({"encryption_key": key(1)}, both, {"former_encryption_key": key(2)}):
        store.use(content(**step))
        seal_all(store)
        assert set(store.library.stats().by_key) == {store.library.vault.current}
        assert {call: store.raw(call) for call in kept} == kept
    store.use(content())
    assert store.raw("s1c3") == kept["s1c3"]
    assert number_of(bytes([1]) * 32) != number_of(bytes([2]) * 32)


def test_words_go_when_search_is_off(store: Store) -> None:
    keep(store, 3)
    assert store.library.search("answer", 9)
    forget_words(store.database)
    assert store.library.search("answer", 9) == []
    assert store.raw("s1c2")
    clear(store, Which())
