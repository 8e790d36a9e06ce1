"""Bedrock's Converse and ConverseStream. What it is asked is judged by AWS's own description of the service."""

import json
from urllib.parse import unquote

from gw.demo.exchange import Request
from tests.support.fakes import frames
from tests.support.fakes.speaker import WHOLE, Spoken, rates_of, sealed, times
from tests.support.fakes.words import Heard, Json, Result, Said, Tokens, Trouble, compact, dumped, must, split
from tests.translate.bedrock import faults, refused

VERBS = {"converse": False, "converse-stream": True}


class Converse:
    name = "converse"

    def hear(self, request: Request) -> Heard:
        _, _, rest = request.target.partition("/model/")
        quoted, _, verb = rest.partition("/")
        must(verb in VERBS, f"the path is {request.path}")
        body, more = request.json, request.json.get("additionalModelRequestFields") or {}
        found = faults({**body}, "ConverseRequest") + refused(body)
        must(not found, "; ".join(found))
        system = " ".join(part.get("text", "") for part in body.get("system") or [])
        cap = (body.get("inferenceConfig") or {}).get("maxTokens") or 0
        heard = Heard(unquote(quoted), [], system, cap=cap, stream=VERBS[verb])
        for message in body["messages"]:
            heard.turns += message["role"] == "assistant"
            for part in message["content"]:
                self._read(part, heard, own=message["role"] == "assistant")
        for tool in (body.get("toolConfig") or {}).get("tools", []):
            if "toolSpec" in tool:
                heard.tools[tool["toolSpec"]["name"]] = tool["toolSpec"]["inputSchema"]["json"]
        heard.thinks = (more.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
        structure = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure") or {}
        heard.schema = _json((structure.get("jsonSchema") or {}).get("schema"))
        return heard

    def _read(self, part: Json, heard: Heard, *, own: bool) -> None:
        if "toolUse" in part:
            heard.calls.append(part["toolUse"]["toolUseId"])
        elif "toolResult" in part:
            result = part["toolResult"]
            heard.results.append(Result(result["toolUseId"], " ".join(one.get("text", "") for one in result["content"])))
        elif "image" in part:
            must(part["image"]["format"] == "png", f"the image is {part['image']['format']}")
            heard.images.append(part["image"]["source"]["bytes"])
        elif "reasoningContent" in part:
            heard.seals.append(part["reasoningContent"]["reasoningText"]["signature"])
        elif "text" in part and not own:
            heard.texts.append(part["text"])

    def seal(self, said: Said, tag: str) -> str:
        return sealed("converse", tag)

    def usage(self, tokens: Tokens) -> Json:
        return {
            "inputTokens": tokens.fresh, "outputTokens": tokens.output,
            "totalTokens": tokens.fresh + tokens.read + tokens.written + tokens.output,
            "cacheReadInputTokens": tokens.read, "cacheWriteInputTokens": tokens.written,
            "cacheDetails": [{"ttl": "5m", "inputTokens": tokens.written}],
        }  # fmt: skip

    def cost(self, model: str, usage: Json) -> int:
        read, written = usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]
        amount = times(rates_of(model), usage["inputTokens"], usage["outputTokens"], read, written)
        return amount * 11 // 10 if model.startswith("us.anthropic") else amount

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        stop, usage = "tool_use" if said.calls else "end_turn", self.usage(tokens)
        content = self._content(said, tag)
        if not heard.stream:
            answer = {
                "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop, "usage": usage,
                "metrics": {"latencyMs": 12},
            }  # fmt: skip
            return Spoken(WHOLE, [dumped(answer)])
        pieces = [frames.event("messageStart", {"role": "assistant", "p": "ab"})]
        for at, block in enumerate(content):
            pieces += [frames.event(name, {"contentBlockIndex": at, **value}) for name, value in _events(block)]
        if said.fails_at >= 0:
            broken = frames.exception("serviceUnavailableException", {"message": "The fake stumbled"})
            return Spoken(frames.CONTENT_TYPE, [*pieces[: said.fails_at + 1], broken])
        pieces.append(frames.event("messageStop", {"stopReason": stop}))
        pieces.append(frames.event("metadata", {"usage": usage, "metrics": {"latencyMs": 12}}))
        return Spoken(frames.CONTENT_TYPE, pieces)

    def _content(self, said: Said, tag: str) -> list[Json]:
        content: list[Json] = []
        if said.thought:
            content.append({"reasoningContent": {"reasoningText": {"text": said.thought, "signature": self.seal(said, tag)}}})
        if said.text:
            content.append({"text": said.text})
        for at, call in enumerate(said.calls):
            name = f"tooluse_{at}{tag[-9:]}".replace("/", "_").replace(".", "_")
            content.append({"toolUse": {"toolUseId": name, "name": call.name, "input": call.arguments}})
        return content

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        return frames.trouble(trouble, message)


def _events(block: Json) -> list[tuple[str, Json]]:
    start: list[tuple[str, Json]] = []
    if "text" in block:
        deltas: list[Json] = [{"text": piece} for piece in split(block["text"])]
    elif "toolUse" in block:
        use = block["toolUse"]
        start = [("contentBlockStart", {"start": {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}})]
        deltas = [{"toolUse": {"input": piece}} for piece in split(compact(use["input"]), 4)]
    else:
        thought = block["reasoningContent"]["reasoningText"]
        deltas = [{"reasoningContent": {"text": piece}} for piece in split(thought["text"])]
        deltas.append({"reasoningContent": {"signature": thought["signature"]}})
    return [*start, *(("contentBlockDelta", {"delta": delta}) for delta in deltas), ("contentBlockStop", {})]


def _json(text: str | None) -> Json | None:
    found: Json | None = json.loads(text) if text else None
    return found
