"""How many tokens a request has: asked of an upstream that counts, in its own words, and told a client in its own.

Counting costs nothing anywhere. What a conversation's request has beside what is counted (caps, sampling, streams) is left out:
some refuse it here. Sources: API references of Anthropic (count_tokens), Google (countTokens, Vertex AI's count-tokens), AWS
(CountTokens) and OpenAI (responses/input_tokens), as read in November 2026.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Final

import orjson

from gw.domain.quirks import Quirks
from gw.errors import Refusal
from gw.translate.anthropic import ANTHROPIC_MESSAGES
from gw.translate.converse import CONVERSE_DIALECT
from gw.translate.dialect import Entrance
from gw.translate.dialects import DIALECTS
from gw.translate.form import Json, Request
from gw.translate.gemini_count import read_count as read_gemini
from gw.translate.gemini_count import write_count_request as write_gemini
from gw.translate.invoke import VERTEX_VERSION
from gw.translate.invoke_dialect import INVOKE
from gw.translate.responses import RESPONSES

# Where each dialect has the total in its answer.
TOTALS: Final = {
    "anthropic": "input_tokens",
    "vertex_anthropic": "input_tokens",
    "responses": "input_tokens",
    "gemini": "totalTokens",
    "converse": "inputTokens",
}
_ANTHROPIC: Final = ("system", "messages", "tools", "tool_choice", "thinking", "output_config")
_RESPONSES: Final = ("input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "truncation")
_CONVERSE: Final = ("messages", "system", "toolConfig", "additionalModelRequestFields")


# --- a client's question and answer -----------------------------------------------------------------------------------


def read_question(dialect: str, body: Json, entrance: Entrance) -> Request:
    """Raises Refusal: invalid_field, cannot_carry."""
    if dialect == "gemini":
        return read_gemini(body, entrance)
    if dialect == "converse":
        return _read_bedrock(body, entrance)
    return DIALECTS[dialect].read_request(body, entrance)


def _read_bedrock(body: Json, entrance: Entrance) -> Request:
    """`{"input": {"converse": ...}}`, or `{"input": {"invokeModel": {"body": base64 of Anthropic's}}}`."""
    given = body.get("input")
    kinds = given if isinstance(given, dict) else {}
    converse, invoke = kinds.get("converse"), kinds.get("invokeModel")
    if isinstance(converse, dict):
        return CONVERSE_DIALECT.read_request(converse, entrance)
    try:
        inner = orjson.loads(b64decode(invoke["body"], validate=True)) if isinstance(invoke, dict) else None
    except (KeyError, TypeError, NotBase64, ValueError) as error:
        raise Refusal("invalid_field", "input.invokeModel.body: must be the base64 of a JSON object") from error
    if not isinstance(inner, dict):
        raise Refusal("invalid_field", "input: must have `converse`, or `invokeModel` with a body")
    return INVOKE.read_request(inner, entrance)


def write_total(dialect: str, total: int) -> Json:
    told: Json = {TOTALS[dialect]: total}
    return {"object": "response.input_tokens", **told} if dialect == "responses" else told


# --- an upstream's --------------------------------------------------------------------------------------------------------


def write_question(upstream: str, asked: Request, quirks: Quirks, *, vertex: bool) -> Json:
    """`asked.model`: the upstream's name of it. `vertex`: Gemini by Vertex AI's words. Raises Refusal: cannot_carry,
    capability_rejected."""
    if upstream == "gemini":
        return write_gemini(asked, quirks, vertex=vertex)
    if upstream == "converse":
        return _write_bedrock(asked, quirks)
    if upstream == "responses":
        return {"model": asked.model, **_only(RESPONSES.write_request(asked, quirks), _RESPONSES)}
    version: Json = {"anthropic_version": VERTEX_VERSION} if upstream == "vertex_anthropic" else {}
    return {"model": asked.model, **version, **_only(ANTHROPIC_MESSAGES.write_request(asked, quirks), _ANTHROPIC)}


def _write_bedrock(asked: Request, quirks: Quirks) -> Json:
    """Claude's own words, which say all of a request, where the model is Claude."""
    if "anthropic.claude" in asked.model:
        body = orjson.dumps(INVOKE.write_request(asked, quirks))
        return {"input": {"invokeModel": {"body": b64encode(body).decode()}}}
    return {"input": {"converse": _only(CONVERSE_DIALECT.write_request(asked, quirks), _CONVERSE)}}


def _only(body: Json, names: tuple[str, ...]) -> Json:
    return {name: body[name] for name in names if name in body}


def read_total(upstream: str, body: Json) -> int | None:
    """None: the answer is none of its dialect's."""
    total = body.get(TOTALS[upstream])
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
