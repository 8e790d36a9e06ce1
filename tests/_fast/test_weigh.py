"""The scale counts everything through which a body can cost money, and never too little. Both twins under the same claims."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gw._fast.peekweigh import peek_and_weigh
from gw._fast.ref import weigh as pure
from gw._fast.weigh import Weight
from gw._fast.weigh import weigh as compiled_weigh

NOTHING = Weight(**dict.fromkeys(Weight._fields, 0))._replace(output_cap=-1)


def weigh(body: bytes) -> Weight:
    found = compiled_weigh(body)
    assert found == pure.weigh(body), body
    both = peek_and_weigh(body)
    assert both.weight == (None if both.error else found), body
    assert type(found) is Weight
    return found


def of(**top: Any) -> Weight:
    return weigh(json.dumps(top, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def user(*blocks: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def image(data: str = "AAAA", **more: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data, **more}}


def pdf(data: str = "JVBE") -> dict[str, Any]:
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}


TEXT = {"type": "text", "text": "hi"}
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}

# What a body holds -> the fields of its weight that this changes from nothing.
CLAIMS: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("no output cap", {"model": "m"}, {"output_cap": -1}),
    ("its output cap", {"max_tokens": 64}, {"output_cap": 64}),
    ("a cap of zero", {"max_tokens": 0}, {"output_cap": 0}),
    ("the larger cap for thinking", {"max_tokens": 8, "thinking": {"budget_tokens": 31999}}, {"output_cap": 31999}),
    ("another dialect's cap", {"max_output_tokens": 7}, {"output_cap": 7}),
    ("a cap that no provider takes", {"max_completion_tokens": 1e99}, {"output_cap": 2**63 - 1}),
    ("a fallback's own cap", {"max_tokens": 8, "fallbacks": [{"max_tokens": 9}]}, {"output_cap": 9, "fallbacks": 1}),
    ("no cap in the client's words", {"metadata": {"max_tokens": 5}, "safeguards": [{"max_tokens": 6}]}, {}),
    ("the server's own fallbacks", {"fallbacks": "default"}, {"fallbacks": 3}),
    ("a mark for five minutes", {"system": [{"cache_control": MARK}]}, {"ttl": 5, "blocks": 1, "text_bytes": 9}),
    ("the longest mark", {"x": [{"cache_control": HOUR}, {"cache_control": MARK}]}, {"ttl": 60, "references": 1}),
    ("a mark for all", {"cache_control": MARK}, {"ttl": 5}),
    ("an unknown time as an hour", {"cache_control": {"ttl": "2d"}}, {"ttl": 60}),
    ("a time that is no text as an hour", {"cache_control": {"ttl": 5}}, {"ttl": 60}),
    ("no time as five minutes", {"cache_control": {"ttl": None}}, {"ttl": 5}),
    ("fast speed", {"speed": "fast"}, {"fast": 1}),
    ("standard speed", {"speed": "standard"}, {}),
    ("an unknown speed as fast", {"speed": "turbo"}, {"fast": 1}),
    ("a fallback's speed", {"fallbacks": [{"speed": "fast"}, {}]}, {"fast": 1, "fallbacks": 2}),
    ("a place for all", {"inference_geo": "global"}, {"geo": 1}),
    ("a place", {"inference_geo": "us"}, {"geo": 2}),
    ("no place", {"inference_geo": None}, {}),
    ("a container", {"container": "container_1"}, {"references": 1}),
    ("a container with skills", {"container": {"skills": [{"skill_id": "x"}]}}, {"references": 1}),
    ("a conversation kept elsewhere", {"thread": {"type": "continue", "previous_message_id": "msg_1"}}, {"references": 1}),
    ("no conversation", {"thread": None, "container": None}, {}),
    ("an unknown key as a reference", {"conversation_id": "c_1"}, {"references": 1}),
    ("an unknown switch as none", {"new_switch": True, "new_number": 4}, {}),
    ("MCP servers", {"mcp_servers": [{"type": "url"}, {"type": "url"}]}, {"references": 2, "server_tools": 2}),
    ("a compaction on the way", {"context_management": {"edits": [{"type": "compact_20260112"}]}}, {"compaction": 1}),
    ("an unknown edit as a compaction", {"context_management": {"edits": [{"type": "summarise"}]}}, {"compaction": 1}),
    ("edits that only clear", {"context_management": {"edits": [{"type": "clear_x", "x": {"type": "y"}}]}}, {}),
    ("a call for a compaction", {"compaction": {"type": "summarize"}}, {"compaction": 1}),
    ("a message", {"messages": [{"role": "user", "content": "four"}]}, {"blocks": 1, "text_bytes": 8}),
    ("its blocks", {"messages": user(TEXT, TEXT)}, {"blocks": 3, "text_bytes": 16}),
    ("an image", {"messages": user(image("A" * 999))}, {"images": 1, "blocks": 2, "text_bytes": 24}),
    ("a PDF", {"messages": user(pdf("A" * 999))}, {"documents": 1, "document_bytes": 999, "blocks": 2, "text_bytes": 33}),
    (
        "an image in a document in a result",
        {"messages": user({"content": [{"source": {"type": "content", "content": [image()]}}]})},
        {"images": 1, "blocks": 4, "text_bytes": 4 + 7 + 20},
    ),
    ("a document of text", {"messages": user({"source": {"type": "text", "data": "1234"}})}, {"blocks": 2, "text_bytes": 12}),
    ("an image elsewhere", {"system": [{"source": {"type": "url"}}]}, {"blocks": 1, "references": 1, "text_bytes": 3}),
    ("a file", {"system": [{"source": {"type": "file", "file_id": "f"}}]}, {"blocks": 1, "references": 1, "text_bytes": 5}),
    ("an upload", {"messages": user({"file_id": "f"})}, {"blocks": 2, "references": 1, "text_bytes": 5}),
    ("base64 of another kind as text", {"messages": user(image(media_type="video/mp4"))}, {"blocks": 2, "text_bytes": 28}),
    ("a tool's own words", {"system": [{"input": {"max_tokens": 9, "cache_control": HOUR}}]}, {"blocks": 1, "text_bytes": 66}),
    ("the URL of a search result as text", {"messages": user({"source": "https://a"})}, {"blocks": 2, "text_bytes": 13}),
]  # fmt: skip


@pytest.mark.parametrize(("top", "wanted"), [case[1:] for case in CLAIMS], ids=[case[0] for case in CLAIMS])
def test_a_body_is_weighed_by(top: dict[str, Any], wanted: dict[str, int]) -> None:
    found = of(**top)._replace(bound_bytes=0)
    assert found == NOTHING._replace(**wanted)


def tool(**fields: Any) -> dict[str, Any]:
    return {"name": "n", **fields}


SEARCH = tool(type="web_search_20260318")
ADVISOR = tool(type="advisor_20260301", model="claude-opus-5", max_tokens=2048)
TOOLS: list[tuple[str, list[Any], dict[str, int]]] = [
    ("the client's", [tool(), tool(type="custom"), tool(type=None)], {"tools": 3}),
    (
        "the provider's words, the client's hands",
        [tool(type="bash_20250124"), tool(type="computer_toolset_20260801"), tool(type="browser_toolset_20260801")],
        {"tools": 3, "defined_tools": 3},
    ),
    ("run by the provider", [tool(type="code_execution_20260521")], {"tools": 1, "defined_tools": 1, "server_tools": 1}),
    ("unknown ones as run by it", [tool(type="oracle_2030")], {"tools": 1, "defined_tools": 1, "server_tools": 1}),
    ("types beyond any length", [tool(type="bash_2" + "x" * 300)], {"tools": 1, "defined_tools": 1, "server_tools": 1}),
    (
        "searches, as many as they may",
        [SEARCH | {"max_uses": 8}, SEARCH | {"max_uses": 5}],
        {"tools": 2, "defined_tools": 2, "server_tools": 2, "searches_cap": 13},
    ),
    ("searches without end", [SEARCH], {"tools": 1, "defined_tools": 1, "server_tools": 1, "searches_cap": 100}),
    ("no end said", [SEARCH | {"max_uses": None}], {"tools": 1, "defined_tools": 1, "server_tools": 1, "searches_cap": 100}),
    ("no searches", [SEARCH | {"max_uses": 0}], {"tools": 1, "defined_tools": 1, "server_tools": 1}),
    (
        "searches beyond reason",
        [SEARCH | {"max_uses": 10**30}],
        {"tools": 1, "defined_tools": 1, "server_tools": 1, "searches_cap": 10**6},
    ),
    (
        "an advisor and its cap",
        [ADVISOR | {"max_uses": 3}],
        {"tools": 1, "defined_tools": 1, "server_tools": 1, "advisor_uses": 3, "output_cap": 2048},
    ),
    (
        "an advisor without end",
        [ADVISOR],
        {"tools": 1, "defined_tools": 1, "server_tools": 1, "advisor_uses": 10, "output_cap": 2048},
    ),
    (
        "schemas as words",
        [tool(input_schema={"properties": {"max_tokens": {"type": "web_search"}, "tools": [{"type": "x"}]}, "max_tokens": 7})],
        {"tools": 1},
    ),
    ("examples as words", [tool(input_examples=[{"max_uses": 3, "max_tokens": 5, "cache_control": {}}])], {"tools": 1}),
]


@pytest.mark.parametrize(("tools", "wanted"), [case[1:] for case in TOOLS], ids=[case[0] for case in TOOLS])
@pytest.mark.parametrize("inline", [False, True], ids=["listed", "in a message"])
def test_tools_are_weighed_by(tools: list[Any], wanted: dict[str, int], inline: bool) -> None:
    found = of(tools=tools)
    if inline:
        added = [{"type": "tool_addition", "tool": {"type": "tool_definition", "definition": one}} for one in tools]
        found = of(messages=[{"role": "system", "content": added}])._replace(blocks=0)
    assert found._replace(bound_bytes=0, text_bytes=0) == NOTHING._replace(**wanted)


def test_tools_count_as_the_json_that_they_are() -> None:
    tools = [{"name": "a", "input_schema": {"type": "object", "properties": {"x": {"type": "string", "enum": ["p", "q"]}}}}]
    text = json.dumps(tools, separators=(",", ":"))
    assert abs(of(tools=tools).text_bytes - len(text)) <= 8
    schema = {"type": "object", "properties": {f"p{i}": {"type": "string", "description": "d" * 50} for i in range(30)}}
    many = [{"name": f"t{i}", "description": "x" * 500, "input_schema": schema} for i in range(12)]
    size = len(json.dumps(many, separators=(",", ":")))
    assert abs(of(tools=many).text_bytes - size) * 50 < size


DOUBLED = [
    ('{"max_tokens":9,"max_tokens":3}', {"output_cap": 9}),
    ('{"inference_geo":"us","inference_geo":"global"}', {"geo": 2}),
    ('{"inference_geo":"global","inference_geo":"us"}', {"geo": 2}),
    ('{"speed":"fast","speed":"standard"}', {"fast": 1}),
    ('{"cache_control":{"ttl":"1h","ttl":"5m"}}', {"ttl": 60}),
    (
        '{"tools":[{"type":"web_search_1","type":"custom","max_uses":9,"max_uses":2}]}',
        {"tools": 1, "defined_tools": 1, "server_tools": 1, "searches_cap": 9},
    ),
    (
        '{"messages":[{"source":{"type":"base64","media_type":"image/png","data":"abcd","type":"text"}}]}',
        {"blocks": 1},
    ),
    (
        '{"messages":[{"source":{"type":"base64","media_type":"image/png","data":"abcd","media_type":"text/plain"}}]}',
        {"blocks": 1},
    ),
]


@pytest.mark.parametrize(("body", "wanted"), DOUBLED)
def test_of_a_doubled_key_the_dearer_counts(body: str, wanted: dict[str, int]) -> None:
    found = weigh(body.encode())
    assert found.bound_bytes == len(body), "nothing was taken for a picture"
    assert found._replace(bound_bytes=0, text_bytes=0) == NOTHING._replace(**wanted)


def test_pictures_are_no_text_in_either_count() -> None:
    small, large = (of(messages=user(TEXT, image(data), pdf(data))) for data in ("AAAA", "A" * 400_000))
    assert large.text_bytes == small.text_bytes
    assert large.bound_bytes == small.bound_bytes
    assert large.document_bytes == small.document_bytes + 400_000 - 4


@pytest.mark.parametrize("text", ['a\n"b\\\t', "é漢字", "\u2028", "\x7f", "x" * 100_000])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_text_is_counted_as_the_provider_reads_it(text: str, ascii_only: bool) -> None:
    body = json.dumps({"messages": [{"content": text}]}, ensure_ascii=ascii_only).encode()
    assert weigh(body).text_bytes == len(text.encode())


@pytest.mark.parametrize("either", [compiled_weigh, pure.weigh], ids=["compiled", "pure"])
def test_what_is_no_body_is_refused(either: Callable[[Any], Weight]) -> None:
    for body in (b"", b"[]", b"{", b"{} {}", b'{"a":1}x', b'{"a":\xff}', b"null"):
        with pytest.raises(ValueError, match="not one JSON object"):
            either(body)
    for other in ("{}", bytearray(b"{}"), None):
        with pytest.raises(TypeError):
            either(other)
    assert either(b" {} \n") == NOTHING._replace(bound_bytes=5)


# -- properties

KEYS = st.sampled_from([
    "messages", "system", "tools", "metadata", "safeguards", "mcp_servers", "context_management", "edits", "fallbacks",
    "compaction", "container", "thread", "inference_geo", "speed", "cache_control", "ttl", "type", "max_uses", "source",
    "media_type", "data", "file_id", "definition", "content", "text", "input", "schema", "input_schema", "max_tokens",
    "budget_tokens", "model", "role", "x",
])  # fmt: skip
WORDS = st.sampled_from([
    "base64", "text", "content", "file", "url", "image/png", "application/pdf", "video/mp4", "5m", "1h", "fast", "standard",
    "global", "us", "custom", "bash_20250124", "web_search_20250305", "web_fetch_1", "advisor_20260301", "compact_20260112",
    "clear_x",
])  # fmt: skip
LEAVES = st.one_of(
    WORDS,
    st.text(max_size=9),
    st.none(),
    st.booleans(),
    st.integers(-5, 2**64),
    st.sampled_from([1.5, "z" * 300, "\ud800", "😀"]),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)), max_leaves=25
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=6)


def dumped(value: Any, ascii_only: bool) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


@settings(max_examples=500, deadline=None)
@given(BODIES, st.booleans())
def test_the_twins_agree_on_any_body(body: dict[str, Any], ascii_only: bool) -> None:
    found = weigh(dumped(body, ascii_only))
    assert min(found._replace(output_cap=0)) >= 0


@settings(max_examples=300, deadline=None)
@given(BODIES, st.integers(0, 400), st.integers(0, 3), st.binary(max_size=3))
def test_the_twins_agree_on_what_is_no_body(body: dict[str, Any], at: int, size: int, with_: bytes) -> None:
    broken = dumped(body, ascii_only=False)
    broken = broken[: at % (len(broken) + 1)] + with_ + broken[at % (len(broken) + 1) + size :]
    try:
        wanted = pure.weigh(broken)
    except ValueError:
        with pytest.raises(ValueError, match="not one JSON object"):
            compiled_weigh(broken)
    else:
        assert compiled_weigh(broken) == wanted


def words_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [word for one in inner for word in words_of(one)]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["role", "content", "text", "id", "x", "y"]), VALUES, max_size=4), st.booleans())
def test_no_text_of_a_message_goes_uncounted(message: dict[str, Any], ascii_only: bool) -> None:
    """Whatever a message is made of: what is neither a picture nor a PDF weighs its bytes, at least."""
    found = weigh(dumped({"messages": [message]}, ascii_only))
    if found.images or found.documents:
        return
    words = "".join(words_of(message)).encode("utf-8", "surrogatepass")
    assert found.bound_bytes >= len(words)
    if all(len(word) <= 256 for word in words_of(message)):
        assert found.text_bytes >= len(words)
