"""The names of one kind, for rules that ask often whether one is known and what a wrong one may have meant."""

from collections.abc import Iterable

from gw.config.said import nearest


class Names:
    """Looking for the nearest name takes milliseconds among thousands, and one name that is gone is missed by many: so what
    was found is kept."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._nearest: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def nearest(self, word: str) -> str:
        """`; did you mean "platform"?`, or nothing if nothing is near."""
        if word not in self._nearest:
            self._nearest[word] = nearest(word, list(self._names))
        return self._nearest[word]
