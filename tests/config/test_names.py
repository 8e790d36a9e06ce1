"""Names that are asked for often."""

from gw.config import names
from gw.config.names import Names


def test_nearest_name_is_looked_for_once(monkeypatch):
    asked = []

    def nearest(word, known):
        asked.append((word, known))
        return "; near"

    monkeypatch.setattr(names, "nearest", nearest)
    known = Names(one for one in ("a", "b", "a"))
    assert "a" in known and "c" not in known
    assert [known.nearest("c") for _ in range(3)] == ["; near"] * 3
    assert asked == [("c", ["a", "b"])]


def test_words_are_those_of_every_other_hint():
    assert Names(["platform"]).nearest("platfrom") == '; did you mean "platform"?'
    assert Names(["platform"]).nearest("x") == ""
