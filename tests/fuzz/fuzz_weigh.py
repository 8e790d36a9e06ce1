"""Fuzzes the scale: `python -m tests.fuzz.fuzz_weigh --runs N`. Both twins read the same body; any difference is a find, and
so is a body that the peek takes and the scale does not."""

import atheris

with atheris.instrument_imports(include=["gw._fast.ref"]):
    from gw._fast.ref import weigh as pure

from gw._fast.fields import Weight
from gw._fast.weigh import weigh
from tests._fast.twins import agree_on_peek
from tests.fuzz.corpus import WEIGHED
from tests.fuzz.run import fuzz


def weighed(either, data: bytes) -> Weight | None:
    try:
        return either(data)
    except ValueError:
        return None


def check(data: bytes) -> None:
    found = weighed(weigh, data)
    assert found == weighed(pure.weigh, data)
    assert (found is None) == (agree_on_peek(data)["error"] in ("not_object", "invalid_json", "trailing_data"))
    if found is not None:
        assert found.bound_bytes <= len(data) and min(found._replace(output_cap=0)) >= 0


if __name__ == "__main__":
    fuzz(check, WEIGHED, "fuzz_weigh")
