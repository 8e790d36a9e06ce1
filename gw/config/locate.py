"""Where a key stands in TOML text, so that every complaint about the configuration can name its line.

tomllib keeps no positions. This scanner runs only over text that tomllib has accepted, so it need not judge, only follow:
headers, dotted keys, strings of all four kinds, arrays and inline tables. Its claim, tested over generated documents, is
that every path of the parsed document is in the index, on the line where its key was written.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]  # ("upstream", 0, "base_url"): table names and keys, and positions in arrays

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRINGS = (  # longest opening first; closing quotes of a multi-line string may follow up to two quotes of content
    re.compile(r'"""(?:\\.|(?!""")[^\\])*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:(?!''').)*'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\])*"'),
    re.compile(r"'[^']*'"),
)


def index_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table and array element of `text`, which must be valid TOML."""
    return _Scanner(text).scan()


def line_of(index: Mapping[Path, int], path: Path) -> int | None:
    """The line of `path`, or of the nearest thing around it that is written down: a missing key has its table's line."""
    for length in range(len(path), 0, -1):
        line = index.get(path[:length])
        if line is not None:
            return line
    return None


class _Scanner:
    """One pass over one document; `at` only moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self.index: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # how many elements each array of tables has so far

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BLANK_LINES)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK_LINES)
        return self.index

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the path of the table that the following pairs belong to."""
        line = self._line()
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        parts = self._key()
        self.at += 2 if many else 1
        if not many:
            return self._enter((), parts, line)
        array = (*self._enter((), parts[:-1], line), parts[-1])
        self.index.setdefault(array, line)
        position = self.counts.get(array, 0)
        self.counts[array] = position + 1
        self.index[(*array, position)] = line
        return (*array, position)

    def _enter(self, table: Path, parts: tuple[str, ...], line: int) -> Path:
        """Walk down from `table`; the name of an array of tables means its last element. A repeated part keeps its first line."""
        for part in parts:
            table = (*table, part)
            self.index.setdefault(table, line)
            if table in self.counts:
                table = (*table, self.counts[table] - 1)
        return table

    def _pair(self, table: Path) -> None:
        line = self._line()
        parts = self._key()
        path = self._enter(table, parts, line)
        self.at += 1  # "="
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        """A dotted key, decoded; the position is then after the blanks behind it, at `=` or `]`."""
        parts = []
        while True:
            self._skip(_BLANK)
            start = self.at
            if self.text[start] in "\"'":
                self._string()
                parts.append(str(tomllib.loads(f"k = {self.text[start : self.at]}")["k"]))
            else:
                self._skip(_BARE_KEY)
                parts.append(self.text[start : self.at])
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening in "\"'":
            self._string()
        elif opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        position = 0
        while not self._closed("]"):
            self.index[(*path, position)] = self._line()
            self._value((*path, position))
            position += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while not self._closed("}"):
            self._pair(path)

    def _closed(self, bracket: str) -> bool:
        """Skip blanks, comments and the comma after an element; True once `bracket` has been passed."""
        self._skip(_BLANK_LINES)
        if self.text.startswith(",", self.at):
            self.at += 1
            self._skip(_BLANK_LINES)
        if self.text.startswith(bracket, self.at):
            self.at += 1
            return True
        return False

    def _string(self) -> None:
        for pattern in _STRINGS:
            if match := pattern.match(self.text, self.at):
                self.at = match.end()
                return
        raise AssertionError("the scanner was given text that tomllib does not accept")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _line(self) -> int:
        return bisect_right(self.newlines, self.at - 1) + 1 if self.at else 1
