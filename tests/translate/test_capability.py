"""What Claude Code asks for and others cannot carry."""

from itertools import pairwise

import pytest

from gw.errors import Refusal
from gw.translate.anthropic_request import read_request
from gw.translate.capability import (
    DROPPED,
    fold_system,
    format_instruction,
    loaded_tools,
    lose,
    lose_foreign,
    refuse_server_tools,
    reject,
    system_text,
    texts_of,
)
from gw.translate.dialect import Entrance
from gw.translate.form import Format, Loaded, Media, Message, Request, Text, Thinking, Tool, ToolResult, ToolUse
from tests.translate.test_anthropic_request import CAPTURED

HERE = Entrance("messages")


def test_a_server_tool_is_refused_by_its_name_and_with_what_to_do() -> None:
    asked = read_request(CAPTURED["websearch_side_request"], HERE)
    with pytest.raises(Refusal) as refused:
        refuse_server_tools(asked)
    assert refused.value.slug == "cannot_carry"
    assert refused.value.message == (
        "The tool `web_search` (web_search_20250305) is the provider's own, and claude-opus-5-5 is served by another one that "
        "does not have it. Choose a Claude model, or leave the tool out (in Claude Code: deny it in the permissions)."
    )
    with pytest.raises(Refusal, match="`mcp_servers`"):
        refuse_server_tools(Request("anthropic", foreign={"mcp_servers": [{"url": "https://example.com"}]}))
    refuse_server_tools(Request("chat", foreign={"container": {"type": "auto"}}))


def test_deferred_tools_are_shown_from_when_they_are_loaded() -> None:
    asked = read_request(CAPTURED["toolsearch_tool_reference"], HERE)
    names = [tool.name for tool in loaded_tools(asked)]
    assert "WebSearch" in names and "DeferredToolPlaceholder" not in names and "Bash" in names
    before = read_request(CAPTURED["toolsearch_tool_reference"] | {"messages": []}, HERE)
    assert "WebSearch" not in [tool.name for tool in loaded_tools(before)]
    called = Request("anthropic", messages=(Message("assistant", (ToolUse("t", "x"),)),), tools=(Tool("x", deferred=True),))
    assert loaded_tools(called) == called.tools


def test_every_other_tool_of_a_captured_request_stays() -> None:
    for body in CAPTURED.values():
        asked = read_request(body, HERE)
        assert [tool for tool in asked.tools if not tool.deferred] == [tool for tool in loaded_tools(asked) if not tool.deferred]


def test_texts_of_blocks() -> None:
    blocks = (
        Text("a"),
        Thinking("hidden"),
        Loaded("WebSearch"),
        Media("document", text="d", title="T"),
        Media("image", url="u"),
        ToolResult("t", (Text("r"),)),
    )
    assert texts_of(blocks) == 'a\nTool WebSearch is loaded.\n<document title="T">\nd\n</document>\nr'


def test_the_line_of_attribution_stays_behind() -> None:
    """It is new in each session, and other providers' caches hold from the first token on."""
    said = system_text(read_request(CAPTURED["hi_opus_5_5"], HERE))
    assert said.startswith("You are a Claude agent, built on Anthropic's Claude Agent SDK.\n\n")


def test_system_messages_become_the_users_words_behind_results() -> None:
    call = Message("assistant", (ToolUse("t", "x"),))
    result = ToolResult("t", (Text("r"),))
    told = Message("system", (Text("be brief", cache="5m"),))
    assert fold_system((Message("user", (Text("hi"),)), call, told, Message("user", (result,)))) == (
        Message("user", (Text("hi"),)),
        call,
        Message("user", (result, Text("<system-reminder>\nbe brief\n</system-reminder>", cache="5m"))),
    )
    assert fold_system((Message("system", ()),)) == ()


@pytest.mark.parametrize("name", CAPTURED)
def test_a_folded_conversation_takes_turns(name: str) -> None:
    roles = [message.role for message in fold_system(read_request(CAPTURED[name], HERE).messages)]
    assert "system" not in roles
    assert all(first != second for first, second in pairwise(roles))


def test_what_claude_code_heals_is_said_in_its_words_and_to_others_in_ours() -> None:
    with pytest.raises(Refusal) as refused:
        reject(Request("anthropic"), "mid_conv_system", "words")
    assert (refused.value.slug, refused.value.message) == ("capability_rejected", "capability_rejected: mid_conv_system")
    with pytest.raises(Refusal) as refused:
        reject(Request("chat"), "mid_conv_system", "words")
    assert (refused.value.slug, refused.value.message) == ("cannot_carry", "words")


def test_what_is_left_out_is_named_once() -> None:
    asked = Request("anthropic", foreign={"speed": "fast"})
    lose(asked, "seed", "seed")
    lose_foreign(asked)
    lose_foreign(asked)
    assert asked.lost == ["seed", "speed"]


def test_the_table_names_all_that_claude_code_sends_and_others_do_not_take() -> None:
    for body in CAPTURED.values():
        assert set(read_request(body, HERE).foreign) <= set(DROPPED)


def test_instructions_for_formats() -> None:
    told = format_instruction(Format("schema", description="a person", schema={"type": "object"}))
    assert told.startswith("Answer with one JSON value (a person) and nothing else") and told.endswith('{"type":"object"}')
    assert format_instruction(Format("json")).startswith("Answer with one JSON object and nothing else")
