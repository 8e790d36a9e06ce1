"""Fuzzes the peek: `python -m tests.fuzz.fuzz_peek --runs N`. Both twins read the same body; any difference is a find,
and so is a body that one of json.loads and the peek takes and the other does not."""

import json

import atheris

with atheris.instrument_imports(include=["gw._fast.ref"]):
    from gw._fast.ref import jsonpeek  # noqa: F401  (instrumented here, used by twins)

from tests._fast.twins import agree_on_peek
from tests.fuzz.corpus import BODIES
from tests.fuzz.run import fuzz


def refuse(name: str) -> None:
    raise ValueError(name)


def is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode(), parse_constant=refuse, parse_int=str), dict)
    except ValueError:
        return False


def check(data: bytes) -> None:
    found = agree_on_peek(data)
    if data.count(b"[") + data.count(b"{") <= 512:  # deeper ones are refused here, and may be too deep for json.loads
        assert (found["error"] not in ("not_object", "invalid_json", "trailing_data")) == is_object(data)


if __name__ == "__main__":
    fuzz(check, BODIES, "fuzz_peek")
