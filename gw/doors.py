"""Which request of which dialect a path is: the client's side of the table of contents.

    /                 /anthropic          Anthropic's API, as Claude Code asks for it
    /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings       OpenAI's, at the root too
    /openai/v1/...                        OpenAI's
    /genai/v1beta/..., /genai/v1/...      Gemini's, also in Vertex' words (projects/.../publishers/google/models/...)
    /bedrock/model/{id}/...               Bedrock's
    /cohere/...                           Cohere's other operations

What is no operation that gw knows passes to an upstream of the same provider family, if that has a passage for it
(gw.providers.passages). Every door leads into the same pipeline.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from gw.domain.call import Endpoint
from gw.translate.dialect import Entrance


class Door(NamedTuple):
    """`dialect`: "" is Anthropic's. `operation` as gw.providers.provider has it, "other" for what passes as it is; then `path` is
    the path behind the door. `model` and `stream`: of dialects that say them in the path."""

    endpoint: Endpoint
    dialect: str = ""
    operation: str = "messages"
    model: str = ""
    stream: bool = False
    family: str = "anthropic"
    path: str = ""

    def entrance(self, query: bytes) -> Entrance:
        alt = "sse" if b"alt=sse" in query.split(b"&") else ""
        return Entrance(self.operation, self.model, self.stream, alt)


MESSAGES = Door("messages")
COUNT_TOKENS = Door("count_tokens", operation="count_tokens")
MODELS = Door("models", operation="models")

OPENAI: dict[str, tuple[str, Door]] = {
    "/v1/chat/completions": ("POST", Door("messages", "chat", "messages", family="openai")),
    "/v1/responses": ("POST", Door("messages", "responses", "responses", family="openai")),
    "/v1/completions": ("POST", Door("messages", "completions", "completions", family="openai")),
    "/v1/responses/input_tokens": ("POST", Door("count_tokens", "responses", "count_tokens", family="openai")),
    "/v1/embeddings": ("POST", Door("embeddings", "embeddings", "embeddings", family="openai")),
}
OPENAI_MODELS = Door("models", "chat", "models", family="openai")
OPENAI_PREFIX, GENAI_PREFIX, BEDROCK_PREFIX, COHERE_PREFIX, ANTHROPIC_PREFIX = (
    "/openai", "/genai", "/bedrock", "/cohere", "/anthropic",
)  # fmt: skip
_GENAI = re.compile(
    r"/v1(?:beta\d?|alpha)?(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/([^/]+))?/(?:models|tunedModels)/(.+):(\w+)"
)
_GENAI_MODELS = re.compile(r"/v1(?:beta\d?|alpha)?/models")
_BEDROCK = re.compile(r"/model/(.+)/(converse|converse-stream|invoke|invoke-with-response-stream|count-tokens)")
GENAI_VERBS: dict[str, tuple[Endpoint, str, bool]] = {
    "generateContent": ("messages", "messages", False),
    "streamGenerateContent": ("messages", "messages", True),
    "countTokens": ("count_tokens", "count_tokens", False),
    "embedContent": ("embeddings", "embeddings", False),
    "batchEmbedContents": ("embeddings", "embeddings", False),
}


def door_of(method: str, path: str) -> Door | None:
    """`path` as the client sent it, decoded, without the query. None: nothing is served there."""
    found = OPENAI.get(path)
    if found is not None:
        return found[1] if method == found[0] else None
    if path.startswith(OPENAI_PREFIX + "/"):
        return _openai(method, path[len(OPENAI_PREFIX) :])
    if path.startswith(GENAI_PREFIX + "/"):
        return _genai(method, path[len(GENAI_PREFIX) :])
    if path.startswith(BEDROCK_PREFIX + "/"):
        return _bedrock(method, path[len(BEDROCK_PREFIX) :])
    if path.startswith(COHERE_PREFIX + "/"):
        return Door("other", "chat", "other", family="cohere", path=path[len(COHERE_PREFIX) :])
    below = path.removeprefix(ANTHROPIC_PREFIX)
    if below.startswith(("/v1/messages/batches", "/v1/files", "/v1/models/")):
        return Door("other", "", "other", family="anthropic", path=below)
    return None


def methods_of(path: str) -> str:
    """For `Allow`, of a path that is known under another method; "" for any other."""
    return next((method for method in ("POST", "GET") if door_of(method, path) is not None), "")


def _openai(method: str, path: str) -> Door | None:
    found = OPENAI.get(path)
    if found is not None:
        return found[1] if method == found[0] else None
    if path == "/v1/models":
        return OPENAI_MODELS if method == "GET" else None
    return Door("other", "chat", "other", family="openai", path=path)


def _genai(method: str, path: str) -> Door | None:
    found = _GENAI.fullmatch(path)
    if found is not None and found[3] in GENAI_VERBS:
        endpoint, operation, stream = GENAI_VERBS[found[3]]
        model = found[2] if found[1] in (None, "google") else f"{found[1]}/{found[2]}"  # so google-genai writes such names
        dialect = "gemini_embeddings" if endpoint == "embeddings" else "gemini"
        return Door(endpoint, dialect, operation, model, stream, "gemini") if method == "POST" else None
    if _GENAI_MODELS.fullmatch(path):
        return Door("models", "gemini", "models", family="gemini") if method == "GET" else None
    return Door("other", "gemini", "other", family="gemini", path=path)


def _bedrock(method: str, path: str) -> Door | None:
    found = _BEDROCK.fullmatch(path)
    if found is None:
        return Door("other", "converse", "other", family="bedrock", path=path)
    if found[2] == "count-tokens":
        return Door("count_tokens", "converse", "count_tokens", unquote(found[1]), family="bedrock") if method == "POST" else None
    dialect = "converse" if found[2].startswith("converse") else "invoke"
    stream = found[2].endswith("stream")
    return Door("messages", dialect, "messages", unquote(found[1]), stream, "bedrock") if method == "POST" else None
