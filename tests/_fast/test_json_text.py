"""Long strings are read 64 bytes at a time: every kind of letter at every place of a block, against the twins, which read byte by
byte, and on machines without vectors as on those with them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast import weigh
from gw._fast.ref import weigh as pure
from tests._fast.twins import agree, agree_on_peek
from tests.requires import need

FAST = Path(__file__).parents[2] / "gw" / "_fast"
BLOCK = 64

WHOLE = [
    b"x", b"\\n", b'\\"', b"\\\\", b"\\/", b"\\b\\f\\r\\t", b"\\\\\\n", b'\\\\\\\\\\"', b"\\u0000", b"\\u007f", b"\\u0080",
    b"\\u0400", b"\\u07FF", b"\\u0800", b"\\uffff", b"\\u1070", b"\\ud83d\\ude00", b"\\udc00", b"\\\\u12",
    "é\\u00e9".encode(), "\u07ff".encode(), "ࠀ".encode(), "字".encode(), "\ud7ff".encode(), "\ue000".encode(),
    "\uffff".encode(), "𐀀".encode(), "😀".encode(), "\U0010ffff".encode(), b"\x7f",
]  # fmt: skip
"""What may stand in a string."""
BROKEN = [
    b"\x00", b"\x1f", b"\n", b"\\x", b"\\U0041", b"\\\n", b"\\\xc3\xa9", b"\\ug234", b"\\u1g34", b"\\u12g4", b"\\u123g",
    b"\\u1\\n", b"\\u12\xc3\xa9", b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3\xc3\xa9", b"\xc3\xa9\xa9",
    b"\xe0\x9f\xbf", b"\xe0\xa0", b"\xed\xa0\x80", b"\xef\xbf", b"\xef\xbfx", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80",
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xe5\xad\x97\x97",
]  # fmt: skip
"""What may not."""


def in_a_body(text: bytes) -> bytes:
    return b'{"model":"m","system":"%b","max_tokens":7}' % text


def judge(text: bytes, *, is_string: bool) -> None:
    """The peek, the scale and the tap say of a string what their twins say, and that it is one, or none."""
    body = in_a_body(text)
    found = agree_on_peek(body)
    assert (found["error"] == "") is is_string, text
    event = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%b"}}\n\n' % text
    split = event[:90], event[90:]
    agree([event])
    agree(split)
    if not is_string:
        with pytest.raises(ValueError, match="not one JSON object"):
            weigh(body)
        return
    counted = json.loads(body)["system"].encode("utf-8", "surrogatepass")
    pairs = text.count(b"\\ud83d\\ude00") * 2  # written as two escapes, each counts as a letter of 3 bytes
    assert weigh(body) == pure.weigh(body)
    assert weigh(body).text_bytes == len(counted) + pairs


@pytest.mark.parametrize("unit", WHOLE, ids=lambda unit: unit.decode("latin-1").encode("unicode_escape").decode())
def test_a_letter_may_stand_at_every_place_of_a_block(unit: bytes) -> None:
    for before in range(BLOCK + 3):
        judge(b"\\n" + b"x" * before + unit + b"y" * BLOCK, is_string=True)  # a block begins where plain text ends
        if before % 9 == 0:
            judge(b"\\n" + b"x" * before + unit, is_string=True)
            judge(b"\\n" + unit * (before + BLOCK), is_string=True)


@pytest.mark.parametrize("unit", BROKEN, ids=lambda unit: unit.decode("latin-1").encode("unicode_escape").decode())
def test_what_may_not_stand_in_a_string_is_found_at_every_place(unit: bytes) -> None:
    for before in range(0, BLOCK + 3, 2 if len(unit) > 1 else 1):
        judge("é".encode() + b"x" * before + unit + b"y" * BLOCK, is_string=False)
        judge(b"\\t" + b"x" * before + unit, is_string=False)


RUNS = st.integers(0, BLOCK + 6).map(lambda size: b"x" * size)
UNITS = st.one_of(st.sampled_from(WHOLE), st.sampled_from(WHOLE), RUNS, st.sampled_from(BROKEN[:1] + WHOLE))


@settings(max_examples=300, deadline=None)
@given(st.lists(UNITS, min_size=20, max_size=80))
def test_any_mixture_is_read_as_the_twins_read_it(units: list[bytes]) -> None:
    judge(b"".join(units), is_string=BROKEN[0] not in units)


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#define GW_PEEKS 0
#define GW_WEIGHS 1
#include "body_scan.h"

int main(void) { /* bodies from the standard input, each after its size in 4 bytes */
    static gw_owner found;
    for (uint32_t size; fread(&size, 1, 4, stdin) == 4;) {
        uint8_t *body = malloc(size); /* a byte read beyond it ends the program */
        if (!body || fread(body, 1, size, stdin) != size) return 1;
        const int taken = gw_read_body(&found, body, size);
        printf("%lld\\n", taken ? (long long)found.weigh.text_bytes : -1LL);
        free(body);
    }
    return 0;
}
"""


@pytest.mark.parametrize("machine", [[], ["-U__SSE2__"]], ids=["vectors", "portable"])
def test_every_machine_reads_the_same(machine: list[str], tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    need("a C compiler", compiler is not None, "apt-get install gcc")
    source, program = tmp_path / "weigh.c", tmp_path / "weigh"
    source.write_text(PROGRAM)
    strict = ["-std=c11", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([str(compiler), *strict, *machine, f"-I{FAST}", str(source), "-o", str(program)], check=True)
    texts = [b"\\n" + b"x" * before + unit + b"y" * BLOCK for unit in WHOLE + BROKEN for before in range(BLOCK + 3)]
    bodies = [in_a_body(text) for text in texts]
    bodies += [in_a_body(text)[: 22 + len(text) - cut] for text in texts[::7] for cut in (0, 1, BLOCK - 1, BLOCK)]
    fed = b"".join(len(body).to_bytes(4, "little") + body for body in bodies)
    done = subprocess.run([str(program)], input=fed, capture_output=True, check=True, env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert [int(line) for line in done.stdout.split()] == [weighed(body) for body in bodies]


def weighed(body: bytes) -> int:
    try:
        return weigh(body).text_bytes
    except ValueError:
        return -1
