"""The anthropic SDK."""

from typing import Any

import anthropic

from tests.sdk.clients.asking import Called, Counted, Got, Json, Question
from tests.support.fakes.scenes import ASKED, CAP, SHAPE
from tests.support.fakes.words import PNG, RESULT, SYSTEM

REFUSALS: dict[int | str, type[Exception]] = {
    400: anthropic.BadRequestError,
    401: anthropic.InternalServerError,  # 502: the gateway's own credential
    404: anthropic.NotFoundError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
    "broken": anthropic.APIStatusError,
}


class Claude:
    name = "anthropic"
    refusals = REFUSALS

    def __init__(self, base_url: str, key: str) -> None:
        self.sdk = anthropic.Anthropic(base_url=f"{base_url}/anthropic", api_key=key, max_retries=0, timeout=20)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, question: Question) -> Got:
        body = body_of(question)
        if question.stream:
            with self.sdk.messages.stream(**body) as stream:
                pieces = "".join(stream.text_stream)
                message: Any = stream.get_final_message()
            assert pieces == "".join(one.text for one in message.content if one.type == "text")
        else:
            message = self.sdk.messages.create(**body)
        return got(message)


def body_of(question: Question) -> Json:
    """As Anthropic's Messages have it; other clients of the same body take it from here."""
    text = {"type": "text", "text": question.prompt}
    content: list[Json] = [text]
    if question.image:
        content.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
    messages: list[Json] = [{"role": "user", "content": content}]
    if question.earlier is not None:
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in question.earlier.calls]
        messages += [{"role": "assistant", "content": question.earlier.native}, {"role": "user", "content": results}]
    body: Json = {"model": question.model, "max_tokens": CAP, "system": SYSTEM, "messages": messages}
    if question.tools:
        body["tools"] = [{"name": name, "description": "Looks.", "input_schema": ASKED} for name in question.tools]
    if question.thinks:
        body["thinking"] = {"type": "enabled", "budget_tokens": 2048}
    if question.shaped:
        body["output_config"] = {"format": {"type": "json_schema", "schema": SHAPE}}
    return body


def got(message: Any) -> Got:
    blocks, usage = message.content, message.usage
    assert message.role == "assistant" and message.type == "message" and message.id
    calls = [Called(one.id, one.name, one.input) for one in blocks if one.type == "tool_use"]
    assert message.stop_reason == ("tool_use" if calls else "end_turn")
    return Got(
        "".join(one.text for one in blocks if one.type == "text"),
        calls,
        "".join(one.thinking for one in blocks if one.type == "thinking"),
        Counted(
            usage.input_tokens, usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0, usage.output_tokens
        ),
        [one.model_dump(exclude_none=True) for one in blocks],
        message.model,
    )
