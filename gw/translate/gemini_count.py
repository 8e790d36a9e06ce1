"""countTokens, from both sides: a Gemini client's request in its two forms and the answer it gets; and the question to a Gemini
upstream of how many tokens a request of any dialect has."""

from gw.errors import Refusal
from gw.translate.dialect import Entrance, Quirks
from gw.translate.form import Failure, Json, Request
from gw.translate.gemini_body import write_request
from gw.translate.gemini_errors import failure_of
from gw.translate.gemini_request import read_request
from gw.translate.loose import count_at

_COUNTED = ("contents", "systemInstruction", "tools")  # the rest changes nothing, and Vertex AI refuses some of it here


def read_count(body: Json, entrance: Entrance) -> Request:
    """Of `{"contents": ...}`, with more fields of generateContent beside it at Vertex AI, or `{"generateContentRequest": ...}`.
    Raises Refusal invalid_field."""
    inner = body.get("generateContentRequest", body.get("generate_content_request"))
    if inner is not None and not isinstance(inner, dict):
        raise Refusal("invalid_field", "generateContentRequest: must be an object.")
    return read_request(body if inner is None else inner, entrance)


def write_count(total: int) -> Json:
    return {"totalTokens": total}


def write_count_request(asked: Request, quirks: Quirks, *, vertex: bool) -> Json:
    """`asked.model` is the upstream's name of the model. The Gemini API takes all but contents in an object of its own, Vertex AI
    beside them. Raises Refusal cannot_carry, capability_rejected."""
    body = write_request(asked, quirks)
    counted = {name: body[name] for name in _COUNTED if name in body}
    if vertex:
        return counted
    if len(counted) == 1:
        return counted
    name = asked.model if "/" in asked.model else f"models/{asked.model}"
    return {"generateContentRequest": {"model": name, **counted}}


def read_count_answer(body: Json) -> int | Failure:
    if "error" in body:
        return failure_of(body, 0)
    if not isinstance(body.get("totalTokens"), int):
        return Failure("api_error", "the upstream's answer is none of Gemini's: it has no totalTokens", code="garbled")
    return count_at(body, "totalTokens")
