"""The openai SDK: Chat Completions and Responses."""

import json
from typing import Any

import openai

from tests.sdk.clients.asking import Called, Counted, Got, Json, Question
from tests.support.fakes.scenes import ASKED, CAP, SHAPE
from tests.support.fakes.words import PNG, RESULT, SYSTEM

URL = f"data:image/png;base64,{PNG}"
REFUSALS: dict[int | str, type[Exception]] = {
    400: openai.BadRequestError,
    401: openai.InternalServerError,  # 502: the gateway's own credential
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    529: openai.InternalServerError,
    "broken": openai.APIError,
}


def sdk(base_url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base_url}/openai/v1", api_key=key, max_retries=0, timeout=20)


class Chat:
    name = "chat"
    refusals = REFUSALS

    def __init__(self, base_url: str, key: str) -> None:
        self.sdk = sdk(base_url, key)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, question: Question) -> Got:
        body = self._body(question)
        if question.stream:
            with self.sdk.chat.completions.stream(**body, stream_options={"include_usage": True}) as stream:
                for _ in stream:
                    pass
                answer: Any = stream.get_final_completion()
        else:
            answer = self.sdk.chat.completions.create(**body)
        return self._got(answer)

    def _body(self, question: Question) -> Json:
        content: list[Json] = [{"type": "text", "text": question.prompt}]
        if question.image:
            content.append({"type": "image_url", "image_url": {"url": URL}})
        messages: list[Json] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
        if question.earlier is not None:
            messages.append(question.earlier.native)
            messages += [{"role": "tool", "tool_call_id": call.id, "content": RESULT} for call in question.earlier.calls]
        body: Json = {"model": question.model, "max_completion_tokens": CAP, "messages": messages}
        if question.tools:
            function = {"description": "Looks.", "parameters": ASKED}
            body["tools"] = [{"type": "function", "function": {"name": name, **function}} for name in question.tools]
        if question.thinks:
            body["reasoning_effort"] = "medium"
        if question.shaped:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SHAPE}}
        return body

    @staticmethod
    def _got(answer: Any) -> Got:
        assert answer.object == "chat.completion" and answer.id and len(answer.choices) == 1
        (choice,) = answer.choices
        message, usage = choice.message, answer.usage
        calls = [Called(one.id, one.function.name, json.loads(one.function.arguments)) for one in message.tool_calls or []]
        assert choice.finish_reason == ("tool_calls" if calls else "stop")
        details, deepseek = usage.prompt_tokens_details, (usage.model_extra or {}).get("prompt_cache_hit_tokens", 0)
        read, written = (details.cached_tokens or 0, details.cache_write_tokens) if details else (deepseek, None)
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        fresh = usage.prompt_tokens - read - (written or 0)
        counted = Counted(fresh, read, -1 if written is None else written, usage.completion_tokens)
        native = {name: value for name, value in message.model_dump(exclude_none=True).items() if name != "parsed"}
        for call in native.get("tool_calls") or []:
            call.pop("index", None)
            call["function"].pop("parsed_arguments", None)
        thought = (message.model_extra or {}).get("reasoning_content") or ""
        return Got(message.content or "", calls, thought, counted, native, answer.model)


class Responses:
    name = "responses"
    refusals = REFUSALS

    def __init__(self, base_url: str, key: str) -> None:
        self.sdk = sdk(base_url, key)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, question: Question) -> Got:
        body = self._body(question)
        if question.stream:
            with self.sdk.responses.stream(**body) as stream:
                for _ in stream:
                    pass
                answer: Any = stream.get_final_response()
        else:
            answer = self.sdk.responses.create(**body)
        return self._got(answer)

    def _body(self, question: Question) -> Json:
        content: list[Json] = [{"type": "input_text", "text": question.prompt}]
        if question.image:
            content.append({"type": "input_image", "image_url": URL, "detail": "auto"})
        given: list[Json] = [{"role": "user", "content": content}]
        if question.earlier is not None:
            given += question.earlier.native
            given += [{"type": "function_call_output", "call_id": call.id, "output": RESULT} for call in question.earlier.calls]
        body: Json = {
            "model": question.model, "max_output_tokens": CAP, "instructions": SYSTEM, "input": given, "store": False,
            "include": ["reasoning.encrypted_content"],
        }  # fmt: skip
        if question.tools:
            tool = {"type": "function", "description": "Looks.", "parameters": ASKED, "strict": False}
            body["tools"] = [{**tool, "name": name} for name in question.tools]
        if question.thinks:
            body["reasoning"] = {"effort": "medium", "summary": "auto"}
        if question.shaped:
            body["text"] = {"format": {"type": "json_schema", "name": "place", "strict": True, "schema": SHAPE}}
        return body

    @staticmethod
    def _got(answer: Any) -> Got:
        assert answer.object == "response" and answer.status == "completed" and answer.id
        usage, details = answer.usage, answer.usage.input_tokens_details
        calls = [Called(one.call_id, one.name, json.loads(one.arguments)) for one in answer.output if one.type == "function_call"]
        thoughts = [part.text for one in answer.output if one.type == "reasoning" for part in one.summary]
        read, written = details.cached_tokens, getattr(details, "cache_write_tokens", None)
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        counted = Counted(
            usage.input_tokens - read - (written or 0), read, -1 if written is None else written, usage.output_tokens
        )
        native = [_input(one.model_dump(exclude_none=True)) for one in answer.output]
        return Got(answer.output_text, calls, "".join(thoughts), counted, native, answer.model)


def _input(item: Json) -> Json:
    """An output item without what the SDK's stream helper has added to it."""
    item.pop("parsed_arguments", None)
    for part in item.get("content") or []:
        part.pop("parsed", None)
    return item
