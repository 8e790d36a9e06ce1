"""A whole answer of Anthropic's, and its errors: written for a client, read from an upstream."""

from msgspec.structs import replace

from gw.domain.usage import Usage
from gw.providers.usage_dialects import usage_from
from gw.translate.anthropic_blocks import STOPS, block_json, message_id, usage_json
from gw.translate.anthropic_events import media_line
from gw.translate.anthropic_parts import read_blocks
from gw.translate.form import Answer, Block, Failure, Json, Loaded, Media, Stop, Thinking, ToolResult, ToolUse
from gw.translate.loose import loaded, text_at
from gw.translate.names import original
from gw.translate.seal import ANTHROPIC

STOP_WORDS: dict[str, Stop] = {word: stop for stop, word in STOPS.items()}
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# Of a failure that comes in place of an answer, under a status that says success; 500 for others.
STATUS_OF = {kind: status for status, kind in KINDS.items() if status not in (408, 409, 422)}
MESSAGE_CHARS_MAX = 2000  # of an error body that is no JSON: somebody's page
_ONLY_ITS_OWN = {"container", "context_management", "safeguard_results", "stop_details"}
_READ = {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"}


def write_answer(answer: Answer, model: str = "", *, thoughts: bool = True) -> Json:
    """`model` and `thoughts` as gw.translate.anthropic_events.EventWriter has them."""
    content = answer.content if thoughts else tuple(block for block in answer.content if not isinstance(block, Thinking))
    body: Json = {
        "id": message_id(answer.id),
        "type": "message",
        "role": "assistant",
        "model": model or answer.model,
        "content": [part for part in map(_part, content) if part],
        "stop_reason": STOPS[answer.stop],
        "stop_sequence": answer.stop_sequence or None,
        "usage": usage_json(answer.usage, last=True),
    }
    return body | {name: value for name, value in answer.foreign.items() if name in _ONLY_ITS_OWN}


def _part(block: Block) -> Json | None:
    if isinstance(block, Media):
        return {"type": "text", "text": media_line(block)}
    return None if isinstance(block, ToolResult | Loaded) else block_json(block)


def read_answer(body: Json) -> Answer | Failure:
    """A body that is no message is a failure; fields that are missing are empty. Usage is in Anthropic's words, whoever's
    endpoint it is."""
    if body.get("type") == "error" or "error" in body:
        return failure_of(body, 0)
    content = body.get("content")
    if not isinstance(content, list):
        return Failure("api_error", "The upstream's answer is no message: it has no content.", code="garbled")
    usage = body.get("usage")
    return Answer(
        id=text_at(body, "id"),
        model=text_at(body, "model"),
        content=tuple(map(_named, read_blocks(content))),
        stop=stop_of(body.get("stop_reason")),
        usage=usage_from(ANTHROPIC, "", usage)[0] if isinstance(usage, dict) else Usage(),
        stop_sequence=text_at(body, "stop_sequence"),
        foreign={name: value for name, value in body.items() if name not in _READ},
    )


def _named(block: Block) -> Block:
    """A tool by the client's name."""
    return replace(block, name=original(block.name)) if isinstance(block, ToolUse) else block


def stop_of(word: object) -> Stop:
    """A word yet unknown ends the turn: that is what clients make of one, too."""
    return STOP_WORDS.get(word, "end_turn") if isinstance(word, str) else "end_turn"


def write_error(failure: Failure, call_id: str) -> Json:
    return {"type": "error", "error": {"type": failure.kind, "message": failure.message}, "request_id": call_id}


def read_error(status: int, body: bytes) -> Failure:
    """Of an HTTP error. A body that is none of Anthropic's is quoted, as far as it is text."""
    found = loaded(body)
    if isinstance(found, dict):
        return failure_of(found, status)
    said = body.decode("utf-8", "replace").strip()[:MESSAGE_CHARS_MAX]
    return Failure(kind_of(status), said or f"The upstream answered with status {status} and no words.", status)


def failure_of(body: Json, status: int) -> Failure:
    """Of `{"type": "error", "error": {"type", "message"}}`; other shapes as far as they say something."""
    error = body.get("error", body)
    if not isinstance(error, dict):
        error = {"message": error if isinstance(error, str) else ""}
    code = text_at(error, "type", "code")
    message = text_at(error, "message") or text_at(body, "message") or f"The upstream says {code or 'error'}, and no more."
    return Failure(code if code in _KNOWN else kind_of(status), message, status, code)


def kind_of(status: int) -> str:
    return KINDS.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")


_KNOWN = {*KINDS.values(), "api_error"}
