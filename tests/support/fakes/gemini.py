"""The Gemini API's generateContent."""

from typing import Any

from gw.demo.exchange import Request
from tests.support.fakes.speaker import SSE, WHOLE, Spoken, rates_of, sealed, sse, times
from tests.support.fakes.words import Heard, Json, Result, Said, Tokens, Trouble, compact, dumped, must, split

KINDS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL",
    529: "UNAVAILABLE",
}  # fmt: skip
KNOWN = {
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent", "serviceTier",
}  # fmt: skip
CONFIG = {
    "maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "thinkingConfig", "responseMimeType", "responseSchema",
    "responseJsonSchema", "seed", "presencePenalty", "frequencyPenalty", "candidateCount",
}  # fmt: skip
OWN = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "properties"}
VERBS = {"generateContent": False, "streamGenerateContent": True}


class Gemini:
    name = "gemini"

    def hear(self, request: Request) -> Heard:
        _, _, rest = request.path.partition("/v1beta/models/")
        model, _, verb = rest.rpartition(":")
        must(model and verb in VERBS, f"the path is {request.path}")
        must(not VERBS[verb] or "alt=sse" in request.target, "alt=sse is missing")
        body = _camel(request.json)
        config = body.get("generationConfig") or {}
        must(set(body) <= KNOWN, f"fields that are not known: {sorted(set(body) - KNOWN)}")
        must(set(config) <= CONFIG, f"fields of generationConfig that are not known: {sorted(set(config) - CONFIG)}")
        system = " ".join(part["text"] for part in (body.get("systemInstruction") or {}).get("parts", []))
        heard = Heard(model, [], system, cap=config.get("maxOutputTokens") or 0, stream=VERBS[verb])
        for content in body["contents"]:
            self._read(content, heard)
        for tool in body.get("tools") or []:
            for one in tool["functionDeclarations"]:
                heard.tools[one["name"]] = one.get("parametersJsonSchema") or one.get("parameters") or {}
        thinking = config.get("thinkingConfig") or {}
        heard.thinks, heard.shown = bool(thinking), bool(thinking.get("includeThoughts"))
        heard.schema = config.get("responseJsonSchema") or config.get("responseSchema")
        must(heard.schema is None or config["responseMimeType"] == "application/json", "responseMimeType is missing")
        return heard

    def _read(self, content: Json, heard: Heard) -> None:
        mine = content.get("role", "user") == "user"
        heard.turns += not mine
        for part in content["parts"]:
            call, result, data = part.get("functionCall"), part.get("functionResponse"), part.get("inlineData")
            if call is not None:
                heard.calls.append(call["id"])
            elif result is not None:
                heard.results.append(Result(result["id"], compact(result["response"])))
            elif data is not None:
                must(data.get("mimeType") == "image/png", f"the image is {data.get('mimeType')} in {sorted(data)}")
                heard.images.append(data["data"].replace("-", "+").replace("_", "/"))
            elif mine:
                heard.texts.append(part["text"])
            if part.get("thoughtSignature"):
                heard.seals.append(part["thoughtSignature"])

    def seal(self, said: Said, tag: str) -> str:
        return sealed(self.name, tag)

    def usage(self, tokens: Tokens) -> Json:
        prompt = tokens.fresh + tokens.read + tokens.written  # it knows of no writes
        return {
            "promptTokenCount": prompt, "cachedContentTokenCount": tokens.read,
            "candidatesTokenCount": tokens.output - tokens.thought, "totalTokenCount": prompt + tokens.output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
            **({"thoughtsTokenCount": tokens.thought} if tokens.thought else {}),
        }  # fmt: skip

    def cost(self, model: str, usage: Json) -> int:
        read = usage["cachedContentTokenCount"]
        output = usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)
        return times(rates_of(model), usage["promptTokenCount"] - read, output, read)

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken:
        calls: list[Json] = [
            {"functionCall": {"id": f"fn{at}", "name": one.name, "args": one.arguments}} for at, one in enumerate(said.calls)
        ]
        if calls and said.thought:
            calls[0]["thoughtSignature"] = self.seal(said, tag)
        base = {"responseId": f"r-{tag}", "modelVersion": heard.model}
        usage, told = self.usage(tokens), said.thought if heard.shown else ""
        if not heard.stream:
            thoughts: list[Json] = [{"text": told, "thought": True}] if told else []
            return Spoken(WHOLE, [dumped(_chunk(base, [*thoughts, {"text": said.text}, *calls], usage, "STOP"))])
        parts: list[Json] = [{"text": piece, "thought": True} for piece in split(told)]
        parts += [*({"text": piece} for piece in split(said.text)), *calls]
        early = {name: value for name, value in usage.items() if not name.startswith(("candidates", "thoughts"))}
        chunks = [sse(_chunk(base, [part], early)) for part in parts]
        if said.fails_at >= 0:
            error = {"code": 503, "message": "The fake stumbled", "status": "UNAVAILABLE"}
            return Spoken(SSE, [*chunks[: said.fails_at], sse({"error": error})])
        return Spoken(SSE, [*chunks, sse(_chunk(base, [{"text": ""}], usage, "STOP"))])

    def trouble(self, trouble: Trouble, message: str) -> Spoken:
        status = 503 if trouble.status == 529 else trouble.status
        error: Json = {"code": status, "message": message, "status": KINDS[trouble.status]}
        if trouble.retry_after_s:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": f"{trouble.retry_after_s}s"}]
        return Spoken(WHOLE, [dumped({"error": error})], status=status)


def _camel(value: Any) -> Any:
    """Google reads its fields in both spellings; what is the client's own stays."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    words = {name: "".join([name.split("_")[0], *(part.title() for part in name.split("_")[1:])]) for name in value}
    return {words[name]: one if words[name] in OWN else _camel(one) for name, one in value.items()}


def _chunk(base: Json, parts: list[Json], usage: Json, finish: str = "") -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, **base}
