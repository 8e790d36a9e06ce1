"""Paths of a provider beside its models' calls, that pass through as they are: files, batches, images, audio.

A passage says which paths, and where an answer tells what was used. Whose clients may take it is the provider's business: the
bytes are in the provider's own words, so only clients that speak them can read the answer.
"""

import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

_CUNNING = re.compile(r"[\\?#\x00-\x20\x7f]")  # the path is decoded when it comes: what was no end of it must not become one
Family = Literal["openai", "anthropic", "gemini", "bedrock", "cohere"]


class Passage(Struct, frozen=True):
    """`path`: segments as clients write them behind their door, `*` any one, `**` at the end any number; a `:verb` at the end of
    a segment stays. `to`: what the first segments become upstream, if they differ."""

    path: str
    family: Family
    methods: tuple[bytes, ...] = (b"GET", b"POST", b"DELETE")
    usage: Literal["", "body", "lines", "inlined"] = ""  # nowhere; in the JSON answer; in each line of a JSONL answer; in lists
    at: tuple[str, ...] = ("usage",)  # keys from the answer's (or line's) top to the usage object
    model_at: tuple[str, ...] = ("model",)  # and to the name of the model; what leads nowhere: as the request has it
    api: str = ""  # for gw.providers.usage_dialects.usage_from
    batch: bool = False  # billed at the batch price
    start: str = ""  # with `to`: the beginning of `path` that is replaced
    to: str = ""

    def fits(self, segments: list[str]) -> bool:
        wanted = self.path.strip("/").split("/")
        if wanted[-1] == "**":
            wanted = wanted[:-1]
            segments = segments[: len(wanted)]
        return len(wanted) == len(segments) and all(map(_same, wanted, segments))

    def upstream_path(self, path: bytes) -> bytes:
        """The client's path as the upstream has it."""
        start = self.start.encode()
        return self.to.encode() + path[len(start) :] if start and path.startswith(start) else path


def passage_of(passages: Iterable[Passage], method: bytes, path: bytes) -> Passage | None:
    """The first that fits; None for anything else, and for a path that could mean another one behind the upstream's door."""
    text = plain = path.decode("latin-1")
    while (read := unquote(plain)) != plain:  # however often the upstream's doors decode it
        plain = read
    if not text.startswith("/") or "//" in plain or _CUNNING.search(plain) or any(map(_leads_up, plain.split("/"))):
        return None
    segments = plain.strip("/").split("/")
    return next((one for one in passages if method in one.methods and one.fits(segments)), None)


def _leads_up(segment: str) -> bool:
    """Some servers take what stands behind a semicolon for no part of it."""
    return segment.partition(";")[0] in {".", ".."}


def _same(wanted: str, segment: str) -> bool:
    """In any case: an upstream that does not care for it must not be reached past what reads its answers."""
    if wanted.startswith("*:"):
        return segment.lower().endswith(wanted[1:].lower())
    return wanted.lower() == segment.lower() or (wanted == "*" and segment != "")


ANTHROPIC = (
    Passage(
        "/v1/messages/batches/*/results",
        "anthropic",
        usage="lines",
        at=("result", "message", "usage"),
        model_at=("result", "message", "model"),
        batch=True,
    ),
    Passage("/v1/messages/batches/**", "anthropic"),
    Passage("/v1/files/**", "anthropic"),
    Passage("/v1/models/*", "anthropic", methods=(b"GET",)),
)

# Results of a batch are a file like any other; its lines say themselves what was used.
OPENAI = (
    Passage(
        "/v1/files/*/content",
        "openai",
        methods=(b"GET",),
        usage="lines",
        at=("response", "body", "usage"),
        model_at=("response", "body", "model"),
        batch=True,
    ),
    Passage("/v1/files/**", "openai"),
    Passage("/v1/batches/**", "openai"),
    Passage("/v1/uploads/**", "openai"),
    Passage("/v1/images/*", "openai", methods=(b"POST",), usage="body", api="responses"),
    Passage("/v1/audio/*", "openai", methods=(b"POST",), usage="body", api="responses"),
    Passage("/v1/moderations", "openai", methods=(b"POST",)),
    Passage("/v1/models/*", "openai", methods=(b"GET",)),
    Passage("/v1/responses/*", "openai", methods=(b"GET", b"DELETE")),
    Passage("/v1/responses/*/cancel", "openai", methods=(b"POST",)),
    Passage("/v1/responses/*/input_items", "openai", methods=(b"GET",)),
    Passage("/v1/responses/compact", "openai", methods=(b"POST",), usage="body", api="responses"),
    Passage("/v1/conversations/**", "openai"),
    Passage("/v1/vector_stores/**", "openai"),
)

_AT, _MODEL_AT = ("response", "usageMetadata"), ("response", "modelVersion")  # of a batch's results
_GEMINI = (
    Passage("/v1beta/models/*", "gemini", methods=(b"GET",)),
    Passage("/v1beta/models/*:batchGenerateContent", "gemini", methods=(b"POST",)),
    Passage("/v1beta/models/*:predict", "gemini", methods=(b"POST",)),
    Passage("/v1beta/models/*:predictLongRunning", "gemini", methods=(b"POST",)),
    Passage("/v1beta/models/*/operations/*", "gemini", methods=(b"GET",)),
    Passage("/v1beta/files/**", "gemini"),
    Passage("/v1beta/files:register", "gemini", methods=(b"POST",)),
    Passage("/upload/v1beta/files", "gemini"),
    Passage(
        "/download/v1beta/files/**", "gemini", (b"GET",), usage="lines", at=_AT, model_at=_MODEL_AT, api="gemini", batch=True
    ),
    Passage("/v1beta/cachedContents/**", "gemini", methods=(b"GET", b"POST", b"PATCH", b"DELETE")),
    Passage("/v1beta/batches/**", "gemini", usage="inlined", at=_AT, model_at=_MODEL_AT, api="gemini", batch=True),
)
# SDKs of 2026 ask for v1, the ones before for v1beta.
GEMINI = (*_GEMINI, *(replace(one, path=one.path.replace("/v1beta/", "/v1/")) for one in _GEMINI))

COHERE = (
    Passage("/v2/rerank", "cohere", methods=(b"POST",), usage="body", at=("meta", "billed_units")),
    Passage("/v2/embed", "cohere", methods=(b"POST",), usage="body", at=("meta", "billed_units")),
    Passage("/v1/tokenize", "cohere", methods=(b"POST",)),
    Passage("/v1/detokenize", "cohere", methods=(b"POST",)),
    Passage("/v1/models/**", "cohere", methods=(b"GET",)),
    Passage("/v1/datasets/**", "cohere"),
    Passage("/v1/embed-jobs/**", "cohere"),
)

BEDROCK = (
    Passage("/async-invoke/**", "bedrock", methods=(b"GET", b"POST")),
    Passage("/guardrail/*/version/*/apply", "bedrock", methods=(b"POST",)),
)


def moved(passages: Iterable[Passage], start: str, to: str, *only: str) -> tuple[Passage, ...]:
    """The same under another beginning upstream; `only` those whose path begins so, if any are named."""
    mine = (one for one in passages if one.path.startswith(only or start))
    return tuple(replace(one, start=start, to=to) for one in mine)
