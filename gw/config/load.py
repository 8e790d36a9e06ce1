"""config.toml -> Config, or every complaint about it at once.

The result is a function of the text, the environment and the files that `file:` names; nothing is created, nothing kept,
so a reload is simply another `load`. Order: TOML, then each key by itself, then what keys say about each other
(`rules.py`), then the caller's own checks. The later stages run only as far as the earlier ones leave them something true.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path as File
from typing import cast

from msgspec import Struct

from gw.config import rules
from gw.config.locate import Path, index_lines, line_of
from gw.config.model import Config
from gw.config.said import nearest, shown
from gw.config.schema import Spec, specs, variable_of
from gw.config.values import Surroundings, raw_from_text, read_value

DEFAULT_FILE = "config.toml"
FILE_VARIABLE = "GW_CONFIG"
BUILT_IN = "built-in defaults"  # the name of the configuration without a file

# A caller's own check, such as the one for tied price overrides: (path of the culprit, message) for each problem.
Check = Callable[[Config], Iterable[tuple[Path, str]]]


class Problem(Struct, frozen=True):
    """One complaint; as text `config.toml:12: upstream.base_ulr: unknown key; did you mean "base_url"?`."""

    line: int | None  # from 1; None: the whole file, or the environment
    key: str  # dotted, without positions in arrays; a variable's name for the environment
    message: str
    source: str = DEFAULT_FILE

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used; `problems` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


class Source(Struct, frozen=True):
    """Where the values came from: for `gw check` and for people, never for the running gateway."""

    name: str  # the file as it was named; BUILT_IN without one
    origins: dict[Path, str]  # path of each key -> "default", "config.toml:12" or "GW_SERVER_PORT"
    warnings: tuple[Problem, ...] = ()


class Loaded(Struct, frozen=True):
    config: Config
    source: Source


def find(option: str | None = None, environ: Mapping[str, str] = os.environ) -> File | None:
    """The file to load: as asked for, else $GW_CONFIG, else ./config.toml if it is there, else None (the defaults)."""
    named = option or environ.get(FILE_VARIABLE)
    if named:
        return File(named)
    return File(DEFAULT_FILE) if File(DEFAULT_FILE).exists() else None


def load(path: File | None, environ: Mapping[str, str] = os.environ, extra_checks: Sequence[Check] = ()) -> Config:
    """The configuration of `path`; without one the defaults, which paths then count from the working directory.

    Raises ConfigError with all problems that could be found.
    """
    return read(path, environ, extra_checks).config


def read(path: File | None, environ: Mapping[str, str] = os.environ, extra_checks: Sequence[Check] = ()) -> Loaded:
    """`load`, with the origin of each value and the warnings."""
    if path is None:
        return parse("", BUILT_IN, File.cwd(), environ, extra_checks)
    return parse(read_text(path), str(path), path.absolute().parent, environ, extra_checks)


def read_text(path: File) -> str:
    """The text of a configuration file. Raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(None, "", "is not text in UTF-8", str(path))]) from error
    except FileNotFoundError as error:
        raise ConfigError([Problem(None, "", "there is no such file", str(path))]) from error
    except OSError as error:
        raise ConfigError([Problem(None, "", f"cannot be read: {error.strerror}", str(path))]) from error


def parse(text: str, name: str, base: File, environ: Mapping[str, str], extra_checks: Sequence[Check] = ()) -> Loaded:
    """The configuration in `text`. `name` is what complaints call the file, `base` where relative paths start."""
    document = _toml(text, name)
    reading = _Reading(name, index_lines(text.replace("\r\n", "\n")), Surroundings(environ, base))
    config = cast(Config, reading.table(Config, document, ()))
    reading.check_variables(_referenced(document))
    for culprit, message in rules.problems(config, reading.broken, reading.place):
        reading.complain(culprit, message)
    if not reading.problems:
        for check in extra_checks:
            for culprit, message in check(config):
                reading.complain(culprit, message)
    if reading.problems:
        raise ConfigError(sorted(reading.problems, key=lambda problem: (problem.source != name, problem.line or 0)))
    warnings = tuple(reading.problem(culprit, message) for culprit, message in rules.warnings(config, reading.origins))
    return Loaded(config, Source(name, reading.origins, warnings))


def read_table(kind: type[Struct], raw: Mapping[str, object], name: str) -> tuple[Struct, list[tuple[Path, str]]]:
    """One table of the kind `name` that stands in no file, from values as TOML gives them, by the same readers. Answers it, and
    what is wrong with it by paths inside the table; if anything is, stand-ins are in it. Nothing of the environment is read."""
    reading = _Table("", {}, Surroundings({}, File()))
    table = reading.table(kind, dict(raw), (name,))
    return table, reading.findings


class _Reading:
    """One pass over one document: collects problems, and says where each value came from."""

    def __init__(self, name: str, index: dict[Path, int], around: Surroundings) -> None:
        self.name = name
        self.index = index
        self.around = around
        self.problems: list[Problem] = []
        self.broken: set[Path] = set()  # keys whose value is a stand-in, so that no rule complains about it again
        self.origins: dict[Path, str] = {}

    def table(self, kind: type[Struct], raw: object, path: Path) -> Struct:
        """Read one table, in any case: what is wrong with it is noted and a stand-in taken."""
        if not isinstance(raw, dict):
            written = f"[[{_dotted(path)}]]" if isinstance(raw, list) else shown(raw)
            self.complain(path, f"must be one table, [{_dotted(path)}], not {written}")
            self.broken.add(path)
            raw = {}
        known = {spec.key: spec for spec in specs(kind)}
        for key in raw:
            if key not in known:
                self.complain((*path, key), _unknown(key, known))
        return kind(**{spec.attribute: self._key(spec, raw, (*path, spec.key)) for spec in known.values()})

    def _key(self, spec: Spec, table: dict[str, object], path: Path) -> object:
        raw = table.get(spec.key, spec.default)
        if spec.table is None:
            return self._leaf(spec, table, path)
        if spec.kind == "table":
            return self.table(spec.table, {} if raw is None else raw, path)
        if not isinstance(raw, list):
            self.complain(path, f"must be written [[{_dotted(path)}]], with double brackets: there may be several")
            self.broken.add(path)
            raw = [raw] if isinstance(raw, dict) else []
        return tuple(self.table(spec.table, element, (*path, position)) for position, element in enumerate(raw))

    def _leaf(self, spec: Spec, table: dict[str, object], path: Path) -> object:
        """The variable's value before the file's before the default; the file's is checked even where a variable hides it."""
        value: object = ""
        if spec.key in table:
            self.origins[path] = self.place(path) if path in self.index else "default"  # of a table that is there by default
            value = self._value(spec, table[spec.key], path)
        elif spec.required:
            if path[:-1] not in self.broken:
                self.complain(path, "is required")
            self.broken.add(path)
        else:
            self.origins[path] = "default"
            value = read_value(spec, spec.default if spec.default_of is None else spec.default_of(table), self.around)
        variable = _variable(spec, path)
        if variable in self.around.environ:
            self.origins[path] = variable
            value = self._value(spec, raw_from_text(spec, self.around.environ[variable]), path, variable)
        return value

    def _value(self, spec: Spec, raw: object, path: Path, variable: str = "") -> object:
        try:
            return read_value(spec, raw, self.around)
        except ValueError as error:
            self.broken.add(path)
            if variable:
                self.problems.append(Problem(None, variable, str(error), "environment"))
            else:
                self.complain(path, str(error))
            return "" if spec.required else read_value(spec, spec.default, self.around)

    def check_variables(self, referenced: set[str]) -> None:
        """GW_SERVER_PROT is as wrong as an unknown key in [server], unless the file itself refers to it."""
        sections = {spec.key: spec.table for spec in specs(Config) if spec.kind == "table" and spec.table is not None}
        known = [variable_of(name, spec.key) for name, table in sections.items() for spec in specs(table) if spec.scalar]
        begin = tuple(variable_of(name, "") for name in sections)
        for variable in sorted(self.around.environ):
            if variable.startswith(begin) and variable not in known and variable not in referenced:
                self.problems.append(Problem(None, variable, f"unknown variable{nearest(variable, known)}", "environment"))

    def complain(self, path: Path, message: str) -> None:
        self.problems.append(self.problem(path, message))

    def problem(self, path: Path, message: str) -> Problem:
        """A complaint about `path`, on its line, or about the variable if that is where its value came from."""
        origin = self.origins.get(path, "")
        if origin.startswith("GW_"):
            return Problem(None, origin, message, "environment")
        return Problem(line_of(self.index, path), _dotted(path), message, self.name)

    def place(self, path: Path) -> str:
        line = line_of(self.index, path)
        return self.name if line is None else f"{self.name}:{line}"


class _Table(_Reading):
    """Of one table: what is wrong keeps its path, positions included."""

    def __init__(self, name: str, index: dict[Path, int], around: Surroundings) -> None:
        super().__init__(name, index, around)
        self.findings: list[tuple[Path, str]] = []

    def complain(self, path: Path, message: str) -> None:
        self.findings.append((path[1:], message))

    def _value(self, spec: Spec, raw: object, path: Path, variable: str = "") -> object:
        """JSON says null where a moment is not set."""
        return super()._value(spec, "" if raw is None and spec.kind == "moment" else raw, path, variable)


def _toml(text: str, name: str) -> dict[str, object]:
    """Raises ConfigError with tomllib's own words and its line."""
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number too long for int()
        message, line, column = str(error), None, ""
        if found := re.search(r" \(at line (\d+), column (\d+)\)$", message):
            message, line, column = message[: found.start()], int(found[1]), f" (column {found[2]})"
        raise ConfigError([Problem(line, "", f"not valid TOML: {message}{column}", name)]) from error
    except RecursionError as error:
        raise ConfigError([Problem(None, "", "not valid TOML: nested too deeply", name)]) from error


def _dotted(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _variable(spec: Spec, path: Path) -> str:
    """The variable that overrides the key, if one does: a scalar of a top-level table."""
    return variable_of(str(path[0]), spec.key) if len(path) == 2 and spec.scalar else ""


def _unknown(key: str, known: Mapping[str, Spec]) -> str:
    """Name the nearest key here; else the table that has such a key; else all keys there are."""
    if near := nearest(key, list(known)):
        return f"unknown key{near}"
    homes = [section.key for section in specs(Config) if section.table and key in {spec.key for spec in specs(section.table)}]
    if homes:
        return f"unknown key; it belongs to [{homes[0]}]"
    return f"unknown key; known here: {', '.join(known)}"


def _referenced(raw: object) -> set[str]:
    """The names of all variables that the document refers to by env:NAME."""
    if isinstance(raw, dict):
        return set().union(*(_referenced(value) for value in raw.values()))
    if isinstance(raw, list):
        return set().union(*(_referenced(value) for value in raw))
    return {raw[4:]} if isinstance(raw, str) and raw.startswith("env:") else set()
