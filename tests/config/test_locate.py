"""Every path of a document has the line on which it was written, whatever the style of writing."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.config.locate import Path, index_lines, line_of

SAMPLE = (
    '''\
# a comment with [brackets] and a "quote
title = "top" # = not a key
[server]
port = 8080
text = """
[not.a.table]
key = 'no'
\\""" still inside """
odd = """ends with two quotes"""""
lit = \'\'\'
[[nor this]]\'\'\''''
    + "''"
    + """
dotted.inner."quoted.key" = 1
[[upstream]]
name = "a"
models = [ # first
  "x", "y]",
  [ 1,
    2 ],
]
headers = { "x-a" = "1", b.c = { d = [ { e = 1 }, { e = 2 } ] } }
  [upstream.inner]
  deep = 1979-05-27 07:32:00 # a date with a blank in it
[[upstream]]
name = "b"
[[ upstream . "sub" ]]
n = 1
[[upstream.sub]]
n = 2
"""
)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("server",), 3),
        (("server", "port"), 4),
        (("server", "text"), 5),
        (("server", "odd"), 9),
        (("server", "lit"), 10),
        (("server", "dotted"), 12),
        (("server", "dotted", "inner", "quoted.key"), 12),
        (("upstream",), 13),
        (("upstream", 0), 13),
        (("upstream", 0, "name"), 14),
        (("upstream", 0, "models", 0), 16),
        (("upstream", 0, "models", 1), 16),
        (("upstream", 0, "models", 2, 0), 17),
        (("upstream", 0, "models", 2, 1), 18),
        (("upstream", 0, "headers", "x-a"), 20),
        (("upstream", 0, "headers", "b", "c", "d", 1, "e"), 20),
        (("upstream", 0, "inner"), 21),
        (("upstream", 0, "inner", "deep"), 22),
        (("upstream", 1), 23),
        (("upstream", 1, "name"), 24),
        (("upstream", 1, "sub", 0), 25),
        (("upstream", 1, "sub", 0, "n"), 26),
        (("upstream", 1, "sub", 1, "n"), 28),
    ],
)
def test_line_of_each_way_to_write_a_key(path: Path, line: int) -> None:
    assert index_lines(SAMPLE)[path] == line


def test_missing_key_has_the_line_of_what_is_around_it() -> None:
    index = index_lines(SAMPLE)
    assert line_of(index, ("upstream", 1, "base_url")) == 23
    assert line_of(index, ("server", "dotted", "other")) == 12
    assert line_of(index, ("journal", "fsync")) is None
    assert line_of(index, ()) is None


def test_text_without_a_key_has_no_lines() -> None:
    assert index_lines("") == {}
    assert index_lines("\n\n# only a comment") == {}


def test_no_newline_at_the_end() -> None:
    assert index_lines("\na = 1\n[t]\nb = []") == {("a",): 2, ("t",): 3, ("t", "b"): 4}


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), st.sampled_from(["", "a b", 'q"uote', "dot.ted", "é", "tab\t"])
)
SCALARS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "true",
        "1979-05-27 07:32:00Z",
        '"text"',
        '"esc\\"aped # [not]"',
        "'lit#eral'",
        '"""multi\nline\n[x]\nk = 1"""',
        '"""two""\n"""""',
        "'''raw\n''quotes'''''",
    ]
)


def quoted(key: str) -> str:
    bare = key and all(char.isascii() and (char.isalnum() or char in "_-") for char in key)
    return key if bare else '"' + key.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(
            lambda items, gap: f"[{gap}{f',{gap}'.join(items)}{gap}]",
            st.lists(inner, max_size=3),
            st.sampled_from(["", " ", "\n", " # c ]\n"]),
        ),
        st.builds(
            lambda keys, value: "{ " + ", ".join(f"{quoted(key)} = {value}" for key in keys) + " }",
            st.lists(KEYS, max_size=3, unique=True),
            inner,
        ),
    ),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """TOML text, and the lines of the keys that stand at the beginning of one, counted while writing."""
    text, lines, arrays = "", {}, {}

    def pairs(table: Path) -> None:
        nonlocal text
        for key in draw(st.lists(KEYS, max_size=4, unique=True)):
            text += draw(st.sampled_from(["", "\n", "# comment\n", "  "]))
            lines[(*table, key)] = text.count("\n") + 1
            text += f"{quoted(key)} = {draw(VALUES)}{draw(st.sampled_from(['', ' # c', '  ']))}\n"

    pairs(())
    top = {path[0] for path in lines}
    for name in draw(st.lists(KEYS.filter(lambda key: key not in top), max_size=4, unique=True)):
        if draw(st.booleans()):
            lines[(name,)] = text.count("\n") + 1
            text += f"[{quoted(name)}]\n"
            pairs((name,))
            continue
        for position in range(draw(st.integers(1, 3))):
            lines.setdefault((name,), text.count("\n") + 1)
            lines[(name, position)] = text.count("\n") + 1
            text += f"[[{quoted(name)}]]\n"
            pairs((name, position))
        arrays[name] = True
    return text, lines


def paths_of(value: object, path: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([path] if path else []) + [deeper for key, element in inner for deeper in paths_of(element, (*path, key))]


@given(documents())
def test_every_path_of_a_document_is_in_the_index_on_its_line(document: tuple[str, dict[Path, int]]) -> None:
    text, lines = document
    index = index_lines(text)
    assert set(index) == set(paths_of(tomllib.loads(text)))
    assert {path: index[path] for path in lines} == lines
