"""Rows as Postgres copies them in: what psycopg would write of them, and what cannot be written is an error."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import copytext
from gw._fast.ref import copytext as pure
from tests.support.postgres import need_postgres

BOTH = pytest.mark.parametrize("module", [pytest.param(copytext, id="compiled"), pytest.param(pure, id="pure")])
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")) | st.text("\\\t\n\r\b\v\fN.é漢", max_size=9)
VALUES = st.one_of(TEXT, st.integers(-(2**63), 2**63 - 1), st.booleans())
ROWS = st.lists(st.lists(VALUES, max_size=6).map(tuple), max_size=5)


def read(lines: bytes) -> list[list[str]]:
    """As the server reads them: a backslash says what follows it (PostgreSQL 15, COPY, Text Format)."""
    named = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
    rows = []
    for line in lines.decode().split("\n")[:-1]:
        columns = []
        for column in line.split("\t"):
            parts = column.replace("\\\\", "\0").split("\\")
            columns.append("".join([parts[0], *(named[part[0]] + part[1:] for part in parts[1:])]).replace("\0", "\\"))
        rows.append(columns)
    return rows


@given(ROWS, st.integers(-5, 2**62))
def test_the_server_reads_what_was_written(rows: list[tuple[object, ...]], first: int) -> None:
    lines = copytext.copy_text(rows, first)
    assert lines == pure.copy_text(rows, first)
    told = [[{True: "t", False: "f"}[one] if isinstance(one, bool) else str(one) for one in row] for row in rows]
    assert read(lines) == [[*row, str(number)] for number, row in enumerate(told, first)]
    assert read(copytext.copy_text(rows)) == [row or [""] for row in told]
    assert copytext.copy_text(rows) == pure.copy_text(rows)


@given(ROWS, st.integers(0, 2**62))
def test_psycopg_would_have_said_the_same(rows: list[tuple[object, ...]], first: int) -> None:
    need_postgres()
    from psycopg import _copy_base
    from psycopg.adapt import Transformer

    theirs = bytearray()
    for number, row in enumerate(rows, first):
        _copy_base.format_row_text((*row, number), Transformer(), theirs)
    assert read(bytes(theirs)) == read(copytext.copy_text(rows, first))


@BOTH
def test_much_is_written_whole(module: ModuleType) -> None:
    rows = [("\\" * size, -(2**63), "x" * size) for size in (0, 1, 65_535, 65_536, 300_000)]
    whole = "".join(f"{row[0] * 2}\t{row[1]}\t{row[2]}\t{number}\n" for number, row in enumerate(rows, 7))
    assert module.copy_text(rows, 7) == whole.encode()


@BOTH
@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        (("a", "b\0c"), ValueError, "NUL"),
        (("é\0",), ValueError, "NUL"),
        (("\ud800",), UnicodeEncodeError, "surrogates"),
        ((2**63,), OverflowError, "int"),
        ((-(2**63) - 1,), OverflowError, "int"),
        ((1, None), TypeError, "a column of NoneType"),
        ((1.5,), TypeError, "a column of float"),
        ((b"x",), TypeError, "a column of bytes"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    module: ModuleType, row: tuple[object, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        module.copy_text([("good", 1), row], 1)


@BOTH
def test_rows_are_a_list_of_tuples(module: ModuleType) -> None:
    for rows in (None, ((1,),), [[1]], [None]):
        with pytest.raises(TypeError):
            module.copy_text(rows, 1)
