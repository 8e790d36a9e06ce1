"""Fuzzes the tap: `python -m tests.fuzz.fuzz_tap --runs N`. Both twins read the same input; any difference is a find."""

import atheris

with atheris.instrument_imports(include=["gw._fast.ref"]):
    from gw._fast.ref import usage  # noqa: F401  (instrumented here, used by twins)

from tests._fast.twins import agree, agree_on_body, pieces
from tests.fuzz.corpus import STREAMS
from tests.fuzz.run import fuzz


def check(data: bytes) -> None:
    """The first byte: every how many bytes the rest is cut; 0 not at all. The reading may not depend on it."""
    step, stream = data[0] if data else 0, data[1:]
    request_ttl = (0, 5, 60)[step % 3]
    whole = agree([stream], request_ttl)
    if step:
        assert agree(pieces(stream, range(0, len(stream), step)), request_ttl) == whole
    agree_on_body(stream, request_ttl)


if __name__ == "__main__":
    fuzz(check, STREAMS, "fuzz_tap")
