"""The google-genai SDK."""

import base64
from typing import Any

from google import genai
from google.genai import errors, types

from tests.sdk.clients.asking import Called, Counted, Got, Question
from tests.support.fakes.scenes import ASKED, CAP, SHAPE
from tests.support.fakes.words import PNG, RESULT, SYSTEM

REFUSALS: dict[int | str, type[Exception]] = {
    400: errors.ClientError,
    401: errors.ServerError,  # 502: the gateway's own credential
    404: errors.ClientError,
    429: errors.ClientError,
    500: errors.ServerError,
    529: errors.ServerError,
    "broken": errors.APIError,
}


class Google:
    name = "gemini"
    refusals = REFUSALS

    def __init__(self, base_url: str, key: str) -> None:
        options = types.HttpOptions(base_url=f"{base_url}/genai", timeout=20_000)
        self.sdk = genai.Client(api_key=key, http_options=options)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, question: Question) -> Got:
        asked: Any = {"model": question.model, "contents": self._contents(question), "config": self._config(question)}
        if not question.stream:
            answer = self.sdk.models.generate_content(**asked)
            (candidate,) = answer.candidates or []
            assert candidate.content is not None and candidate.finish_reason == types.FinishReason.STOP
            return self._got(candidate.content.parts or [], answer)
        parts: list[types.Part] = []
        last: Any = None
        for last in self.sdk.models.generate_content_stream(**asked):
            for candidate in last.candidates or []:
                parts += (candidate.content.parts if candidate.content else None) or []
        assert last.candidates[0].finish_reason == types.FinishReason.STOP
        return self._got(parts, last)

    @staticmethod
    def _contents(question: Question) -> list[types.Content]:
        parts = [types.Part(text=question.prompt)]
        if question.image:
            parts.append(types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"))
        contents = [types.Content(role="user", parts=parts)]
        if question.earlier is not None:
            results = [
                types.FunctionResponse(id=call.id or None, name=call.name, response={"output": RESULT})
                for call in question.earlier.calls
            ]
            given = [types.Part(function_response=one) for one in results]
            contents += [question.earlier.native, types.Content(role="user", parts=given)]
        return contents

    @staticmethod
    def _config(question: Question) -> types.GenerateContentConfig:
        config = types.GenerateContentConfig(system_instruction=SYSTEM, max_output_tokens=CAP)
        config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)
        if question.tools:
            declared = types.FunctionDeclaration(description="Looks.", parameters_json_schema=ASKED)
            tools = [declared.model_copy(update={"name": name}) for name in question.tools]
            config.tools = [types.Tool(function_declarations=tools)]
        if question.thinks:
            config.thinking_config = types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)
        if question.shaped:
            config.response_mime_type = "application/json"
            config.response_json_schema = SHAPE
        return config

    @staticmethod
    def _got(parts: list[types.Part], answer: types.GenerateContentResponse) -> Got:
        usage = answer.usage_metadata
        assert usage is not None
        made = [one.function_call for one in parts if one.function_call]
        calls = [Called(one.id or "", one.name or "", dict(one.args or {})) for one in made]
        prompt, read = usage.prompt_token_count or 0, usage.cached_content_token_count or 0
        output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        assert usage.total_token_count == prompt + output
        return Got(
            "".join(one.text or "" for one in parts if not one.thought),
            calls,
            "".join(one.text or "" for one in parts if one.thought),
            Counted(prompt - read, read, -1, output),
            types.Content(role="model", parts=parts),
            answer.model_version or "",
        )
