"""The admin token: chosen or made, kept by its owner alone, never quoted."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gw.ops.admin_token import PREFIX, TOKEN_FILE, load_admin_token


def test_a_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    made = load_admin_token(tmp_path / "state", {})
    again = load_admin_token(tmp_path / "state", {})
    assert made.made and not again.made and made.text == again.text
    assert made.text.startswith(PREFIX) and len(made.text) == len(PREFIX) + 43
    assert stat.S_IMODE((tmp_path / "state" / TOKEN_FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [TOKEN_FILE]


def test_processes_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: load_admin_token(tmp_path, {}), range(32)))
    assert len({one.text for one in found}) == 1 and sum(one.made for one in found) == 1


def test_a_chosen_token_is_taken_and_nothing_is_stored(tmp_path: Path) -> None:
    found = load_admin_token(tmp_path, {"GW_ADMIN_TOKEN": " a-secret-of-our-own-2027\n"})
    assert found.text == "a-secret-of-our-own-2027" and not found.made and not list(tmp_path.iterdir())


UNUSABLE = ["short", "x" * 513, "with a blank in the midst of it", "mit-ümlaut-aber-sonst-lang", "gwk_" + "a" * 51, "a\x07" * 20]


@pytest.mark.parametrize("text", UNUSABLE, ids=range(len(UNUSABLE)))
def test_a_token_that_cannot_be_used_is_named_but_never_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="GW_ADMIN_TOKEN") as raised:
        load_admin_token(tmp_path, {"GW_ADMIN_TOKEN": text})
    assert text not in str(raised.value)
    (tmp_path / TOKEN_FILE).write_text(text)
    with pytest.raises(ValueError, match=TOKEN_FILE) as raised:
        load_admin_token(tmp_path, {})
    assert text not in str(raised.value)
