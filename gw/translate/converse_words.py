"""Words of Bedrock's Converse that its requests, answers and streams share: ways of ending, errors, usage, formats of media.

Source: Amazon Bedrock API reference and the service model of botocore 1.44 (2023-09-30), as read in November 2026.
"""

from base64 import b64decode, b64encode
from typing import Final

from msgspec.structs import replace

from gw.domain.usage import Usage
from gw.providers.usage_dialects import usage_from
from gw.translate.form import Failure, Json, Stop
from gw.translate.loose import loaded, object_at, text_at

CONVERSE: Final = "converse"

_STOPS: Final[dict[str, Stop]] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    "model_context_window_exceeded": "context_full",
    "malformed_model_output": "end_turn",
    "malformed_tool_use": "end_turn",
}
STOP_REASONS: Final[dict[Stop, str]] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "pause_turn": "end_turn",
    "refusal": "content_filtered",
    "context_full": "model_context_window_exceeded",
}


def stop_of(reason: object, *, called: bool) -> Stop:
    """`called`: the answer has tool calls; models that are not Claude say "end_turn" all the same at times, and a client would
    not run them. A word yet unknown is an ordinary end."""
    stop = _STOPS.get(reason, "end_turn") if isinstance(reason, str) else "end_turn"
    return "tool_use" if called and stop == "end_turn" and reason != "malformed_tool_use" else stop


# --- usage ------------------------------------------------------------------------------------------------------------


def read_usage(source: Json) -> Usage:
    """Of an answer or a `metadata` event, which have `usage` and, beside it, the tier that served."""
    usage = usage_from("bedrock", CONVERSE, object_at(source, "usage"))[0]
    tier = text_at(object_at(source, "serviceTier"), "type")
    return replace(usage, service_tier=tier) if tier else usage


def usage_json(usage: Usage) -> Json:
    """inputTokens without what was cached; totalTokens with it."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    found: Json = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.cache_read_tokens + written + usage.output_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": written,
    }
    if written and not usage.ttl_assumed:
        by_ttl = (("1h", usage.cache_write_1h_tokens), ("5m", usage.cache_write_5m_tokens))
        found["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in by_ttl if count]
    return found


TIERS: Final = frozenset({"priority", "default", "flex", "reserved"})

# --- errors -----------------------------------------------------------------------------------------------------------
# Name of an exception -> (HTTP status, kind). In streams the name begins with a small letter.

_EXCEPTIONS: Final[dict[str, tuple[int, str]]] = {
    "ValidationException": (400, "invalid_request_error"),
    "ServiceQuotaExceededException": (400, "rate_limit_error"),
    "UnrecognizedClientException": (403, "authentication_error"),
    "ExpiredTokenException": (403, "authentication_error"),
    "AccessDeniedException": (403, "permission_error"),
    "ResourceNotFoundException": (404, "not_found_error"),
    "ModelTimeoutException": (408, "timeout_error"),
    "ModelErrorException": (424, "api_error"),
    "ModelStreamErrorException": (424, "api_error"),
    "ModelNotReadyException": (429, "overloaded_error"),
    "ThrottlingException": (429, "rate_limit_error"),
    "InternalServerException": (500, "api_error"),
    "ServiceUnavailableException": (503, "overloaded_error"),
}
_KINDS: Final = {name.lower(): kind for name, (_, kind) in _EXCEPTIONS.items()}
_BY_STATUS: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    424: "api_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_NAMES: Final = {
    "invalid_request_error": "ValidationException",
    "request_too_large": "ValidationException",
    "policy_blocked": "ValidationException",
    "billing_error": "ServiceQuotaExceededException",  # not tried again by the AWS SDKs, which a ThrottlingException is
    "authentication_error": "AccessDeniedException",
    "permission_error": "AccessDeniedException",
    "not_found_error": "ResourceNotFoundException",
    "timeout_error": "ModelTimeoutException",
    "rate_limit_error": "ThrottlingException",
    "overloaded_error": "ServiceUnavailableException",
    "api_error": "InternalServerException",
}
# What a stream of Converse or InvokeModel may end with; an SDK does not know the others there.
_IN_STREAMS: Final = {
    "ServiceQuotaExceededException": "validationException",
    "AccessDeniedException": "validationException",
    "ResourceNotFoundException": "validationException",
    "ModelTimeoutException": "modelStreamErrorException",
}
_MODELS_SAY = "The model returned the following errors: "
_TOO_LONG = ("input is too long for requested model", "too many total text bytes")
MESSAGE_CHARS_MAX: Final = 2000  # of an error body that is no JSON


def error_head(failure: Failure) -> tuple[int, str]:
    """(status, value of the header x-amzn-ErrorType) of an answer that says this failure."""
    name = _NAMES.get(failure.kind, "InternalServerException")
    return _EXCEPTIONS[name][0], name


def exception_name(failure: Failure) -> str:
    """The same in a stream, as the header `:exception-type`."""
    name = error_head(failure)[1]
    return _IN_STREAMS.get(name, name[0].lower() + name[1:])


def failure_of(name: str, body: Json, status: int = 0) -> Failure:
    """Of an exception by its name, in a stream or as an error's body. The words stay the model's: Claude Code acts on them."""
    word = name.rpartition("#")[2].partition(":")[0]
    kind = _KINDS.get(word.lower()) or _BY_STATUS.get(status) or ("invalid_request_error" if 400 <= status < 500 else "api_error")
    message = text_at(body, "message", "Message", "originalMessage") or f"The upstream says {word or 'error'}, and no more."
    message = message.removeprefix(_MODELS_SAY)
    if message.lower().startswith(_TOO_LONG):
        message = f"prompt is too long: {message}"  # the words by which Claude Code compacts the conversation
    return Failure(kind, message, status, word)


def read_error(status: int, body: bytes) -> Failure:
    """Of an HTTP error. The exception's name is in a header, which is not seen here, and with some gateways in the body."""
    found = loaded(body)
    if isinstance(found, dict):
        return failure_of(text_at(found, "__type", "code"), found, status)
    said = body.decode("utf-8", "replace").strip()[:MESSAGE_CHARS_MAX]
    return failure_of("", {"message": said or f"The upstream answered with status {status} and no words."}, status)


def write_error(failure: Failure) -> Json:
    """`__type` is what an SDK reads where the header is missing."""
    return {"__type": error_head(failure)[1], "message": failure.message}


# --- media ------------------------------------------------------------------------------------------------------------
# Converse's word for a format -> its media type, by the kind of block.

FORMATS: Final[dict[str, dict[str, str]]] = {
    "image": {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"},
    "document": {
        "pdf": "application/pdf",
        "csv": "text/csv",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "html": "text/html",
        "txt": "text/plain",
        "md": "text/markdown",
    },
    "video": {
        "mp4": "video/mp4",
        "mov": "video/quicktime",
        "mkv": "video/x-matroska",
        "webm": "video/webm",
        "flv": "video/x-flv",
        "mpeg": "video/mpeg",
        "mpg": "video/mpg",
        "wmv": "video/x-ms-wmv",
        "three_gp": "video/3gpp",
    },
    "audio": {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "ogg": "audio/ogg",
        "opus": "audio/opus",
        "m4a": "audio/mp4",
        "webm": "audio/webm",
        "pcm": "audio/pcm",
        "mka": "audio/x-matroska",
    },
}
_ALSO: Final = {"image/jpg": "jpeg", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav", "audio/x-flac": "flac"}
TEXT_FORMATS: Final = frozenset({"csv", "html", "txt", "md"})
_WORDS: Final = {kind: {media: word for word, media in of.items()} for kind, of in FORMATS.items()}
# What base64 of a file begins with, for media without a type.
_SIGNS: Final = {"image": {"iVBOR": "png", "/9j/": "jpeg", "R0lG": "gif", "UklG": "webp"}, "document": {"JVBER": "pdf"}}


def format_of(kind: str, media_type: str, data: str) -> str:
    """Converse's word; "" for what it does not take."""
    plain = media_type.partition(";")[0].strip().lower()
    if word := _WORDS[kind].get(plain) or (_ALSO.get(plain) if _ALSO.get(plain) in FORMATS[kind] else ""):
        return word
    signs = {} if plain else _SIGNS.get(kind, {})
    return next((word for sign, word in signs.items() if data.startswith(sign)), "")


def media_type_of(kind: str, word: str) -> str:
    return FORMATS[kind].get(word) or (f"{kind}/{word}" if word else "")


# --- sealed thoughts --------------------------------------------------------------------------------------------------
# `redactedContent` is a blob, base64 in JSON. Claude's own are base64 already and pass as they are; any other text is wrapped.

_WRAPPED = b"gw1:"


def blob_of(text: str) -> str:
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if raw and not raw.startswith(_WRAPPED) and b64encode(raw).decode() == text:
        return text
    return b64encode(_WRAPPED + text.encode("utf-8", "surrogatepass")).decode()


def text_of_blob(blob: str) -> str:
    try:
        raw = b64decode(blob, validate=True)
        return raw[len(_WRAPPED) :].decode("utf-8", "surrogatepass") if raw.startswith(_WRAPPED) else blob
    except ValueError:
        return blob
