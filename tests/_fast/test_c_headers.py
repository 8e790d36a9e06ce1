"""The C beside the Cython modules compiles without a warning, with those on that the house asks for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.requires import need

FAST = Path(__file__).parents[2] / "gw" / "_fast"
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wsign-compare", "-Wconversion", "-Werror", "-fsyntax-only"]
# Each header with a use of all its functions that are not inline, which would else be called unused.
USES = {
    "peek.h": "void use(struct gw_peek *p, uint8_t *o) { gw_peek_body(p, o, 1); gw_span_text(o, p->model, o); }",
    "tap.h": "int use(struct gw_tap *t, uint8_t *o) { gw_tap_read_whole(t, o, 1); return gw_tap_feed(t, o, 1); }",
    "frame.h": "void use(struct gw_frame *f) { gw_frame_seal(f); }",
    "heads.h": "int use(const char *n) { return gw_role_of_request(n, 1) + gw_role_of_answer(n, 1); }",
    "weigh.h": "int use(struct gw_weigh *w, uint8_t *o) { return gw_weigh_body(w, o, 1); }",
    "hold.h": "",
    "crc.h": "",
    "bucket.h": "",
    "sums.h": "",
    "figures.h": "",
}


@pytest.mark.parametrize("portable", [False, True], ids=["native", "portable"])
@pytest.mark.parametrize("header", USES)
def test_headers_are_free_of_warnings(header: str, portable: bool, tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    need("a C compiler", compiler is not None, "apt-get install gcc")
    source = tmp_path / "use.c"
    source.write_text(f'{"#undef __SSE2__" if portable else ""}\n#include "{header}"\n{USES[header]}\n')
    done = subprocess.run([str(compiler), *FLAGS, f"-I{FAST}", str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
