"""boto3: Converse, and InvokeModel with Anthropic's bodies."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from tests.sdk.clients.asking import Called, Counted, Got, Json, Question
from tests.sdk.clients.claude import body_of
from tests.support.fakes.scenes import ASKED, CAP, SHAPE
from tests.support.fakes.words import PNG, RESULT, SYSTEM

REFUSALS: dict[int | str, type[Exception]] = {status: ClientError for status in (400, 401, 404, 429, 500, 529)}
REFUSALS["broken"] = EventStreamError


@cache
def runtime(base_url: str, key: str) -> Any:
    """The virtual key stands where the access key id does."""
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="anything", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, max_pool_connections=20)
    return session.client("bedrock-runtime", endpoint_url=f"{base_url}/bedrock", config=config)


class Converse:
    name = "converse"
    refusals = REFUSALS

    def __init__(self, base_url: str, key: str) -> None:
        self.sdk = runtime(base_url, key)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, question: Question) -> Got:
        asked = self._asked(question)
        if not question.stream:
            answer = self.sdk.converse(**asked)
            return self._got(answer["output"]["message"]["content"], answer["stopReason"], answer["usage"])
        content: list[Json] = []
        stop, usage = "", {}
        for event in _events(self.sdk.converse_stream(**asked)["stream"]):
            if "contentBlockStart" in event:
                _block(content, event["contentBlockStart"]["contentBlockIndex"])["toolUse"] = {
                    **event["contentBlockStart"]["start"]["toolUse"], "input": "",
                }  # fmt: skip
            elif "contentBlockDelta" in event:
                _grow(_block(content, event["contentBlockDelta"]["contentBlockIndex"]), event["contentBlockDelta"]["delta"])
            elif "messageStop" in event:
                stop = event["messageStop"]["stopReason"]
            elif "metadata" in event:
                usage = event["metadata"]["usage"]
        for block in content:
            if "toolUse" in block:
                block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
        return self._got(content, stop, usage)

    @staticmethod
    def _asked(question: Question) -> Json:
        content: list[Json] = [{"text": question.prompt}]
        if question.image:
            content.append({"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}})
        messages: list[Json] = [{"role": "user", "content": content}]
        if question.earlier is not None:
            results = [
                {"toolResult": {"toolUseId": call.id, "content": [{"text": RESULT}]}} for call in question.earlier.calls
            ]
            messages += [{"role": "assistant", "content": question.earlier.native}, {"role": "user", "content": results}]
        asked: Json = {
            "modelId": question.model, "system": [{"text": SYSTEM}], "messages": messages, "inferenceConfig": {"maxTokens": CAP},
        }  # fmt: skip
        if question.tools:
            specs = [{"name": name, "description": "Looks.", "inputSchema": {"json": ASKED}} for name in question.tools]
            asked["toolConfig"] = {"tools": [{"toolSpec": spec} for spec in specs]}
        if question.thinks:
            asked["additionalModelRequestFields"] = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
        if question.shaped:
            schema = {"schema": json.dumps(SHAPE), "name": "place"}
            asked["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
        return asked

    @staticmethod
    def _got(content: list[Json], stop: str, usage: Json) -> Got:
        uses = [one["toolUse"] for one in content if "toolUse" in one]
        calls = [Called(use["toolUseId"], use["name"], use["input"]) for use in uses]
        assert stop == ("tool_use" if calls else "end_turn")
        reasoned = [one["reasoningContent"] for one in content if "reasoningContent" in one]
        thoughts = [one.get("reasoningText", {}).get("text", "") for one in reasoned]
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + read + written
        counted = Counted(usage["inputTokens"], read, written, usage["outputTokens"])
        return Got("".join(one.get("text", "") for one in content), calls, "".join(thoughts), counted, content)


class Invoke:
    name = "invoke"
    refusals = REFUSALS

    def __init__(self, base_url: str, key: str) -> None:
        self.sdk = runtime(base_url, key)

    def close(self) -> None:
        self.sdk.close()

    def ask(self, question: Question) -> Got:
        body = {"anthropic_version": "bedrock-2023-05-31", **body_of(question)}
        asked = {"modelId": body.pop("model"), "body": json.dumps(body), "contentType": "application/json"}
        if not question.stream:
            return self._got(json.loads(self.sdk.invoke_model(**asked)["body"].read()))
        message: Json = {}
        arguments: dict[int, str] = {}
        ended = False
        for one in _events(self.sdk.invoke_model_with_response_stream(**asked)["body"]):
            event = json.loads(one["chunk"]["bytes"])
            kind = event["type"]
            if kind == "message_start":
                message = event["message"]
            elif kind == "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
            elif kind == "content_block_delta":
                _add(message["content"][event["index"]], event["delta"], arguments, event["index"])
            elif kind == "message_delta":
                message.update(event["delta"])
                message["usage"].update({name: value for name, value in event["usage"].items() if value is not None})
            ended = ended or kind == "message_stop"
        assert ended
        for index, text in arguments.items():
            message["content"][index]["input"] = json.loads(text)
        return self._got(message)

    @staticmethod
    def _got(message: Json) -> Got:
        content, usage = message["content"], message["usage"]
        calls = [Called(one["id"], one["name"], one["input"]) for one in content if one["type"] == "tool_use"]
        assert message["stop_reason"] == ("tool_use" if calls else "end_turn")
        counted = Counted(
            usage["input_tokens"],
            usage.get("cache_read_input_tokens") or 0,
            usage.get("cache_creation_input_tokens") or 0,
            usage["output_tokens"],
        )
        return Got(
            "".join(one["text"] for one in content if one["type"] == "text"),
            calls,
            "".join(one["thinking"] for one in content if one["type"] == "thinking"),
            counted,
            [{name: value for name, value in one.items() if value is not None} for one in content],
            message["model"],
        )


def _events(stream: Any) -> Iterator[Json]:
    """Closed at the end, whatever it was."""
    with closing(stream):
        yield from stream


def _block(content: list[Json], index: int) -> Json:
    if index == len(content):
        content.append({})
    return content[index]


def _grow(block: Json, delta: Json) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "reasoningContent" in delta:
        said = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
        for name, value in delta["reasoningContent"].items():
            if name == "redactedContent":
                block["reasoningContent"] = {"redactedContent": value}
            else:
                said["reasoningText"][name] = said["reasoningText"].get(name, "") + value


def _add(block: Json, delta: Json, arguments: dict[int, str], index: int) -> None:
    kind = delta["type"]
    if kind == "text_delta":
        block["text"] += delta["text"]
    elif kind == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    elif kind == "input_json_delta":
        arguments[index] = arguments.get(index, "") + delta["partial_json"]
