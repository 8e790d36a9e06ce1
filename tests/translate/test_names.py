"""Names of tools in letters and lengths that an upstream takes, and the way back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.translate import names
from gw.translate.names import fit, original, shortened


@given(st.text(max_size=150), st.sampled_from((16, 64, 128)))
def test_every_name_fits_and_leads_back(name: str, chars_max: int) -> None:
    made = fit(name, chars_max)
    assert re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{chars_max}}}", made)
    assert original(made) == name and fit(name, chars_max) == made
    assert shortened(name, chars_max) == made


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True))
def test_a_name_that_fits_stays(name: str) -> None:
    assert fit(name) == name


def test_names_that_look_alike_stay_apart() -> None:
    assert len({fit(name) for name in ("a.b", "a b", "a:b", "a_b", "x" * 65, "x" * 66)}) == 6


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_ORIGINALS", {})
    monkeypatch.setattr(names, "REMEMBERED_MAX", 3)
    made = [fit(f"tool {number}") for number in range(5)]
    assert [original(one) for one in made] == [*made[:2], "tool 2", "tool 3", "tool 4"]
