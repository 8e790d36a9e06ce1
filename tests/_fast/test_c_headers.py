"""The C beside the Cython modules compiles without a warning, with those on that the house asks for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.requires import need

FAST = Path(__file__).parents[2] / "gw" / "_fast"
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wsign-compare", "-Wconversion", "-Werror", "-fsyntax-only"]
READ = "int use(struct gw_body *b, uint8_t *o) { return gw_read_body(b, o, 1); }"
# Each header with what stands before it, and a use of all its functions that are not inline, which would else be called unused.
USES = {
    "peek": ("#define GW_PEEKS 1\n#define GW_WEIGHS 0", "body_scan.h", READ),
    "weigh": ("#define GW_PEEKS 0\n#define GW_WEIGHS 1", "body_scan.h", READ),
    "peekweigh": ("#define GW_PEEKS 1\n#define GW_WEIGHS 1", "body_scan.h", READ),
    "tap": ("", "tap.h", "int use(struct gw_tap *t, uint8_t *o) { gw_tap_read_whole(t, o, 1); return gw_tap_feed(t, o, 1); }"),
    "frame": ("", "frame.h", "void use(struct gw_frame *f) { gw_frame_seal(f); }"),
    "heads": ("", "heads.h", "int use(const char *n) { return gw_role_of_request(n, 1) + gw_role_of_answer(n, 1); }"),
    "hold": ("", "hold.h", ""),
    "crc": ("", "crc.h", ""),
    "bucket": ("", "bucket.h", ""),
    "sums": ("", "sums.h", ""),
    "figures": ("", "figures.h", ""),
    "rows": ("", "rows.h", ""),
}


@pytest.mark.parametrize("portable", [False, True], ids=["native", "portable"])
@pytest.mark.parametrize("name", USES)
def test_headers_are_free_of_warnings(name: str, portable: bool, tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    need("a C compiler", compiler is not None, "apt-get install gcc")
    source = tmp_path / "use.c"
    before, header, use = USES[name]
    source.write_text(f'{"#undef __SSE2__" if portable else ""}\n{before}\n#include "{header}"\n{use}\n')
    done = subprocess.run([str(compiler), *FLAGS, f"-I{FAST}", str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
