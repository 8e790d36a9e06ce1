"""What the tap must say, worked out the slow way: the stream as a list of decoded events, no bytes and no splits.

And the strategies that make such streams, with everything the dialect and other vendors' versions of it do.
"""

from typing import Any

from hypothesis import strategies as st

INTS = {
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "cache_read": ("cache_read_input_tokens",),
    "total": ("cache_creation_input_tokens",),
    "write_5m": ("cache_creation", "ephemeral_5m_input_tokens"),
    "write_1h": ("cache_creation", "ephemeral_1h_input_tokens"),
    "thinking": ("output_tokens_details", "thinking_tokens"),
    "search": ("server_tool_use", "web_search_requests"),
    "fetch": ("server_tool_use", "web_fetch_requests"),
    "code": ("server_tool_use", "code_execution_requests"),
}
TEXTS = {"tier": "service_tier", "speed": "speed", "geo": "inference_geo"}
EMPTY_KINDS = (None, "", "text_delta", "thinking_delta", "input_json_delta")


def utf8_size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def printable(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


class Oracle:
    """Takes decoded events one by one; `fields` is the expected reading, without the exact text_bytes."""

    def __init__(self, request_ttl: int) -> None:
        self.request_ttl = request_ttl
        self.ints: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.iterations: list[dict[str, Any]] = []
        self.flags = {"started": False, "finished": False, "final_usage": False, "content_empty": True, "garbled": False}
        self.text_bytes = 0
        self.news = 0
        self.token_seen = False

    def integer(self, value: Any) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            self.flags["garbled"] = True
            return None
        return value

    def text(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or utf8_size(value) > 256:
            self.flags["garbled"] = True
            return None
        return printable(value)

    def mapping(self, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self.flags["garbled"] |= value is not None
        return {}

    def leaf(self, holder: dict[str, Any], path: tuple[str, ...]) -> int | None:
        for key in path[:-1]:
            holder = self.mapping(holder.get(key))
        return self.integer(holder.get(path[-1]))

    def usage(self, usage: dict[str, Any]) -> None:
        for name, path in INTS.items():
            value = self.leaf(usage, path)
            if value is not None:
                self.ints[name] = value
        for name, key in TEXTS.items():
            text = self.text(usage.get(key))
            if text is not None:
                self.texts[name] = text
        entries = usage.get("iterations")
        if isinstance(entries, list):
            self.iterations = [self.mapping(entry) for entry in entries if isinstance(entry, dict)]
            self.flags["garbled"] |= any(not isinstance(entry, dict) and entry is not None for entry in entries)
        else:
            self.flags["garbled"] |= entries is not None

    def token(self, carries: bool) -> None:
        self.news |= 0 if self.token_seen else 1
        self.token_seen = True
        if carries:
            self.flags["content_empty"] = False

    def event(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "message_start":
            message = self.mapping(event.get("message"))
            self.flags["started"] = True
            for name, key in (("model", "model"), ("message_id", "id"), ("stop_reason", "stop_reason")):
                text = self.text(message.get(key))
                if text is not None:
                    self.texts[name] = text
            self.usage(self.mapping(message.get("usage")))
        elif kind == "message_delta":
            text = self.text(self.mapping(event.get("delta")).get("stop_reason"))
            if text is not None:
                self.texts["stop_reason"] = text
            usage = self.mapping(event.get("usage"))
            self.usage(usage)
            if self.integer(usage.get("output_tokens")) is not None:
                self.flags["final_usage"] = True
                self.news |= 8
        elif kind == "message_stop":
            self.flags["finished"] = True
            self.news |= 2
        elif kind == "error":
            self.news |= 4
            text = self.text(self.mapping(event.get("error")).get("type"))
            if text is not None:
                self.texts["error_type"] = text
        elif kind == "content_block_start":
            if block_carries(event["content_block"]):
                self.token(True)
        elif kind == "content_block_delta":
            delta = event["delta"]
            size = sum(utf8_size(delta[key]) for key in ("text", "thinking", "partial_json") if isinstance(delta.get(key), str))
            self.text_bytes += size
            self.token(size > 0 or delta.get("type") not in EMPTY_KINDS)

    def fields(self) -> dict[str, object]:
        known = {name: self.ints.get(name, 0) for name in INTS}
        write_5m, write_1h, assumed = self.split()
        entries = tuple(self.entry(entry) for entry in self.iterations)
        texts = ("tier", "speed", "geo", "model", "message_id", "stop_reason", "error_type")
        del known["total"]
        found = {name: self.texts.get(name, "") for name in texts}
        return (
            known
            | {"write_5m": write_5m, "write_1h": write_1h, "ttl_assumed": assumed, "iterations": entries}
            | found
            | self.flags
        )

    def split(self) -> tuple[int, int, bool]:
        """Token by token in words: the response's split first, then the iterations', then the request's or 5m."""
        seen_5m, seen_1h = self.ints.get("write_5m", 0), self.ints.get("write_1h", 0)
        total = self.ints.get("total", min(seen_5m + seen_1h, 2**63 - 1))
        write_1h = min(seen_1h, total)
        write_5m = min(seen_5m, total - write_1h)
        quiet = Oracle(0)
        top = [one for one in self.iterations if one.get("type") in ("message", "fallback_message")]
        more = {name: sum(quiet.leaf(one, INTS[name]) or 0 for one in top) for name in ("write_5m", "write_1h")}
        add_1h = min(max(more["write_1h"] - write_1h, 0), total - write_1h - write_5m)
        add_5m = min(max(more["write_5m"] - write_5m, 0), total - write_1h - write_5m - add_1h)
        write_1h, write_5m = write_1h + add_1h, write_5m + add_5m
        rest = total - write_1h - write_5m
        return (write_5m, write_1h + rest, rest > 0) if self.request_ttl == 60 else (write_5m + rest, write_1h, rest > 0)

    def entry(self, entry: dict[str, Any]) -> tuple[object, ...]:
        found = {
            name: self.leaf(entry, INTS[name]) for name in ("input", "output", "cache_read", "total", "write_5m", "write_1h")
        }
        seen_5m, seen_1h = found["write_5m"], found["write_1h"]
        total = found["total"] if found["total"] is not None else (seen_5m or 0) + (seen_1h or 0)
        long = min(seen_1h or 0, total)
        split = (0, 0) if seen_5m is None and seen_1h is None else (total - long, long)
        head = self.text(entry.get("type")) or "", self.text(entry.get("model")) or ""
        return *head, found["input"] or 0, found["output"] or 0, found["cache_read"] or 0, total, *split


def block_carries(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind in (None, "", "text", "thinking"):
        return any(isinstance(block.get(key), str) and block[key] for key in ("text", "thinking", "signature"))
    return bool(kind != "fallback")


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys, in any order."""
    return st.fixed_dictionaries({}, optional=fields).flatmap(
        lambda found: st.permutations(list(found)).map(lambda keys: {key: found[key] for key in keys})
    )


LOOKALIKES = st.sampled_from(
    [
        '{"type":"message_delta","usage":{"output_tokens":9}}',
        '"usage"',
        "\n\ndata: {}\n\n",
        '"type":"message_stop"',
        "\\",
        '\\"',
        "\ufeff",
        "é—字😀",
        "\ud800",
        "\udc00 \ud83d",
    ]
)
WORDS = st.one_of(LOOKALIKES, st.text(max_size=40))
COUNTS = st.one_of(
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.none(),
    st.sampled_from([2**63 - 1, 2**63, -1, 1.5, 1e3, "7", True, [], {}, [7], {"input_tokens": 7}]),
)
SMALL = st.one_of(st.integers(0, 10_000), st.none())
NOISE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["usage", "type", "text", "x", "output_tokens"]), inner, max_size=3),
    ),
    max_leaves=6,
)
NAMES = st.one_of(WORDS, st.none(), st.just("x" * 257), st.just(5))


def usages(counts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    creation = st.one_of(st.none(), some(ephemeral_5m_input_tokens=counts, ephemeral_1h_input_tokens=counts, other=NOISE))
    entries = some(
        type=st.sampled_from(["message", "compaction", "advisor_message", "fallback_message", "later"]),
        model=st.one_of(st.none(), st.just("claude-opus-5-5")),
        input_tokens=SMALL,
        output_tokens=SMALL,
        cache_read_input_tokens=SMALL,
        cache_creation_input_tokens=SMALL,
        cache_creation=st.one_of(st.none(), some(ephemeral_5m_input_tokens=SMALL, ephemeral_1h_input_tokens=SMALL)),
        extra=NOISE,
    )
    return some(
        input_tokens=counts,
        output_tokens=counts,
        cache_read_input_tokens=counts,
        cache_creation_input_tokens=counts,
        cache_creation=creation,
        output_tokens_details=st.one_of(st.none(), some(thinking_tokens=counts)),
        server_tool_use=st.one_of(
            st.none(), some(web_search_requests=counts, web_fetch_requests=counts, code_execution_requests=counts)
        ),
        service_tier=NAMES,
        speed=st.sampled_from([None, "fast", "standard"]),
        inference_geo=st.sampled_from([None, "us", "global"]),
        iterations=st.one_of(
            st.none(), st.lists(st.one_of(entries, entries, st.none(), st.just(3), st.just([{"type": "message"}])), max_size=4)
        ),
        fallback_credit=NOISE,
    )


def typed(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.permutations(["type", *fields, "noise"]).flatmap(
        lambda keys: st.fixed_dictionaries({key: {"type": st.just(kind), "noise": NOISE, **fields}[key] for key in keys})
    )


BLOCKS = some(
    type=st.sampled_from(["text", "thinking", "tool_use", "fallback", "server_tool_use", "redacted_thinking"]),
    text=WORDS,
    thinking=WORDS,
    signature=WORDS,
    input=NOISE,
    id=WORDS,
)
DELTAS = some(
    type=st.sampled_from(["text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta"]),
    text=WORDS,
    thinking=WORDS,
    partial_json=WORDS,
    signature=WORDS,
    citation=NOISE,
)
EVENTS = st.one_of(
    typed(
        "message_start",
        message=some(id=NAMES, model=NAMES, stop_reason=st.none(), usage=usages(COUNTS), content=st.just([]), role=WORDS),
    ),
    typed("message_delta", delta=some(stop_reason=NAMES, stop_sequence=NOISE), usage=usages(COUNTS)),
    typed("content_block_start", index=st.integers(0, 9), content_block=BLOCKS),
    typed("content_block_delta", index=st.integers(0, 9), delta=DELTAS),
    typed("content_block_delta", index=st.integers(0, 9), delta=DELTAS),
    st.builds(
        lambda index, text: {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}},
        st.integers(0, 99),
        WORDS,
    ),
    typed("content_block_stop", index=st.integers(0, 9)),
    typed("message_stop"),
    typed("ping"),
    typed("error", error=some(type=NAMES, message=WORDS)),
    typed("later_event", usage=NOISE),
)
