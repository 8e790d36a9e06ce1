"""Gemini's words: spelling of keys, reasons of ending, statuses, signatures, and what is known of its models by their names.

Sources: Gemini API and Vertex AI references of generateContent, their pages on thinking and thought signatures, and the types
of google-genai 3.4, as read in November 2026.
"""

import re
from base64 import b64decode, b64encode, urlsafe_b64decode
from typing import Any, Final

from gw.domain.usage import Usage
from gw.errors import Refusal
from gw.translate.form import Json, Media, Stop, Thinking
from gw.translate.seal import sealed, unseal

GEMINI: Final = "gemini"
DEPTH_MAX: Final = 100  # of a request's JSON, client data not counted

STOPS: Final[dict[str, Stop]] = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "CONTINUATION": "max_tokens",  # the cap of one request was reached
    "TOO_MANY_TOOL_CALLS": "pause_turn",  # the provider's own tools
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "MODEL_ARMOR": "refusal",
    "ESCALATION": "refusal",
    "PUP_LIMITED_DISABLED": "refusal",
    "IMAGE_SAFETY": "refusal",
    "IMAGE_PROHIBITED_CONTENT": "refusal",
    "IMAGE_RECITATION": "refusal",
}  # any other that is not in BROKEN is an end like STOP
# The model wrote something that is no answer. To ask again helps, and an end of turn would hide it.
BROKEN: Final = frozenset(
    {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"}
)
REASONS: Final[dict[Stop, str]] = {
    "end_turn": "STOP",
    "tool_use": "STOP",
    "stop_sequence": "STOP",
    "pause_turn": "OTHER",
    "max_tokens": "MAX_TOKENS",
    "context_full": "MAX_TOKENS",
    "refusal": "SAFETY",
}

# Kind of a Failure -> (HTTP status where it has none, google.rpc.Code).
STATUSES: Final[dict[str, tuple[int, str]]] = {
    "invalid_request_error": (400, "INVALID_ARGUMENT"),
    "authentication_error": (401, "UNAUTHENTICATED"),
    "permission_error": (403, "PERMISSION_DENIED"),
    "not_found_error": (404, "NOT_FOUND"),
    "request_too_large": (413, "INVALID_ARGUMENT"),
    "rate_limit_error": (429, "RESOURCE_EXHAUSTED"),
    "billing_error": (429, "RESOURCE_EXHAUSTED"),
    "api_error": (500, "INTERNAL"),
    "overloaded_error": (503, "UNAVAILABLE"),
    "timeout_error": (504, "DEADLINE_EXCEEDED"),
}
_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def kind_of(status: int) -> str:
    """Of an HTTP status."""
    return _KINDS.get(status) or ("invalid_request_error" if 400 <= status < 500 else "api_error")


# --- keys -----------------------------------------------------------------------------------------------------------

# Fields whose contents are the client's own: their keys are no words of Gemini's.
_CLIENTS: Final = frozenset(
    {"args", "response", "labels", "parametersJsonSchema", "responseJsonSchema", "partMetadata", "headers"}
)
_SCHEMAS: Final = frozenset({"parameters", "responseSchema"})
_NAMED: Final = frozenset({"properties", "defs", "$defs"})  # of a schema: the client's names -> schemas
_VALUES: Final = frozenset({"default", "example", "enum", "required", "propertyOrdering"})


def camelized(value: Any, depth: int = 0) -> Any:
    """The same JSON with Gemini's own keys in camelCase; both spellings are legal, also mixed. Raises Refusal."""
    if depth > DEPTH_MAX:
        raise Refusal("invalid_field", f"The request is nested more than {DEPTH_MAX} levels deep.")
    if isinstance(value, list):
        return [camelized(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    found: Json = {}
    for key, inner in value.items():
        name = camel(key)
        if name in found and name != key:
            continue  # both are there: the camelCase one counts
        if name in _CLIENTS:
            found[name] = inner
        elif name in _SCHEMAS:
            found[name] = _schema(inner, depth + 1)
        else:
            found[name] = camelized(inner, depth + 1)
    return found


def _schema(value: Any, depth: int) -> Any:
    """A Schema object: its keywords are Gemini's, the names under `properties` are not."""
    if depth > DEPTH_MAX:
        raise Refusal("invalid_field", f"A schema is nested more than {DEPTH_MAX} levels deep.")
    if isinstance(value, list):
        return [_schema(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    found: Json = {}
    for key, inner in value.items():
        name = camel(key)
        if name in _NAMED and isinstance(inner, dict):
            found[name] = {own: _schema(one, depth + 1) for own, one in inner.items()}
        else:
            found[name] = inner if name in _VALUES else _schema(inner, depth + 1)
    return found


def camel(key: str) -> str:
    if "_" not in key or key.startswith("_"):
        return key
    first, *others = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


# --- signatures -----------------------------------------------------------------------------------------------------

# A client's thoughtSignature is base64 of bytes. What another dialect has sealed stands in it behind this mark.
_SIGNED, _REDACTED = b"gw.s.", b"gw.r."


def wire_signature(block: Thinking, signature: str = "") -> str:
    """What a Gemini client is to return of a thought; `signature` where it came after the block. "": nothing."""
    signature = signature or block.signature
    if not signature and not block.redacted:
        return ""
    if block.sealed_by in (GEMINI, "") and not block.redacted and not block.id:
        return signature
    text = sealed(block.sealed_by, block.redacted or signature, block.id)
    return b64encode((_REDACTED if block.redacted else _SIGNED) + text.encode()).decode()


def from_wire(signature: str) -> Thinking:
    """The thought, without its text, that a part's thoughtSignature stands for."""
    try:
        data = urlsafe_b64decode(signature + "==") if "-" in signature or "_" in signature else b64decode(signature + "==")
    except ValueError:
        data = b""
    if not data.startswith((_SIGNED, _REDACTED)):
        return Thinking(signature=signature, sealed_by=GEMINI)
    dialect, inside, id = unseal(data[len(_SIGNED) :].decode("utf-8", "replace"))
    if not dialect and not inside:
        return Thinking(signature=signature, sealed_by=GEMINI)
    if data.startswith(_REDACTED):
        return Thinking(redacted=inside, sealed_by=dialect, id=id)
    return Thinking(signature=inside, sealed_by=dialect, id=id)


# --- media ----------------------------------------------------------------------------------------------------------


_TO_STANDARD: Final = str.maketrans("-_", "+/")


def media_of(value: Json) -> Media:
    """Of an inlineData or fileData object, keys in camelCase."""
    media_type, title = value.get("mimeType"), value.get("displayName")
    data, uri = value.get("data"), value.get("fileUri")
    media_type = media_type if isinstance(media_type, str) else ""
    kind = media_type.partition("/")[0]
    uri = uri if isinstance(uri, str) else ""
    return Media(
        kind if kind in ("image", "audio", "video") else "document",  # type: ignore[arg-type]  # one of the four
        media_type=media_type,
        data=data.translate(_TO_STANDARD) if isinstance(data, str) else "",  # google-genai writes base64url
        url="" if is_googles(uri) else uri,
        file_id=uri if is_googles(uri) else "",
        title=title if isinstance(title, str) else "",
    )


def is_googles(uri: str) -> bool:
    """A file that only Google can read: given to its Files API, or in Cloud Storage."""
    return uri.startswith(("gs://", "files/", "https://generativelanguage.googleapis.com/"))


# --- usage ----------------------------------------------------------------------------------------------------------


def usage_json(usage: Usage) -> Json:
    """As `usageMetadata`: the prompt with what was cached, thoughts beside the candidates."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    thoughts = min(usage.thinking_tokens, usage.output_tokens)
    found: Json = {"promptTokenCount": prompt}
    if usage.output_tokens:
        found["candidatesTokenCount"] = usage.output_tokens - thoughts
    if usage.cache_read_tokens:
        found["cachedContentTokenCount"] = usage.cache_read_tokens
    if thoughts:
        found["thoughtsTokenCount"] = thoughts
    return found | {"totalTokenCount": prompt + usage.output_tokens}


# --- models ---------------------------------------------------------------------------------------------------------

_GENERATION = re.compile(r"gemini-(?:(?:flash|pro|lite|live)-)*(\d+)(?:\.(\d+))?")


def generation(model: str) -> tuple[int, int]:
    """(3, 1) of `gemini-3.1-pro-preview`, (0, 0) of what is no Gemini (Gemma). A name without a number (`gemini-flash-latest`)
    is the newest."""
    name = model.rpartition("/")[2].lower()
    found = _GENERATION.search(name)
    if found is not None:
        return int(found[1]), int(found[2] or 0)
    return (99, 0) if "gemini" in name else (0, 0)
