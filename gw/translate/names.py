"""Names of tools for upstreams that take fewer letters or shorter names than the client's dialect, and back.

A name that fits passes as it is. Any other becomes its own readable part and a digest of the whole, always the same, so that
prompt caches hold. The way back is a memory of what was made here: a process that writes a request also reads its answer, and a
client sends the names of its tools with each request.
"""

import re
from hashlib import blake2b
from typing import Final

REMEMBERED_MAX: Final = 10_000  # names that had to be made; some dozens in practice
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]+")
_DIGEST_BYTES = 4

_ORIGINALS: dict[str, str] = {}


def shortened(text: str, chars_max: int = 64) -> str:
    """The text in letters of [a-zA-Z0-9_-], 1 to `chars_max` of them (at least 16); nothing is remembered: for ids."""
    if 0 < len(text) <= chars_max and _UNFIT.search(text) is None:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    head = _UNFIT.sub("_", text).strip("_")[: chars_max - len(digest) - 1] or "tool"
    return f"{head}_{digest}"


def fit(name: str, chars_max: int = 64) -> str:
    """The same for a name that is to be found again."""
    made = shortened(name, chars_max)
    if made != name:
        if made not in _ORIGINALS and len(_ORIGINALS) >= REMEMBERED_MAX:
            del _ORIGINALS[next(iter(_ORIGINALS))]
        _ORIGINALS[made] = name
    return made


def original(name: str) -> str:
    """What `fit` made this name of; a name that it did not make is itself."""
    return _ORIGINALS.get(name, name) if _ORIGINALS else name
