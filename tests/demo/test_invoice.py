"""The invoice's own arithmetic, against amounts worked out by hand (USD per million tokens in the comments)."""

from pathlib import Path
from typing import Any

import pytest

from gw.demo.answers import message, text
from gw.demo.exchange import Chunk, Request
from gw.demo.invoice import Invoice, Tally, cost_pusd, read_lines

CASES: list[tuple[str, dict[str, Any], int]] = [
    # 1000*4 + 500*20
    ("claude-opus-5-5", {"input_tokens": 1000, "output_tokens": 500}, 14_000_000_000),
    # 11*4 + 456*5 + 7891*8 + 70001*0.2 + 333*20
    (
        "claude-opus-5-5",
        {
            "input_tokens": 11,
            "cache_creation_input_tokens": 8347,
            "cache_creation": {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 7891},
            "cache_read_input_tokens": 70001,
            "output_tokens": 333,
        },
        86_112_200_000,
    ),
    # writes without a split are 5-minute writes: 100*2.5
    ("claude-sonnet-5-5", {"cache_creation_input_tokens": 100, "cache_creation": None}, 250_000_000),
    # 100,000 is still a short prompt, one more is a long one, output too
    ("claude-haiku-5-5", {"input_tokens": 100_000, "output_tokens": 1000}, 10_500_000_000),
    ("claude-haiku-5-5", {"input_tokens": 100_001, "output_tokens": 1000}, 52_500_500_000),
    # fast: 10*8 + 5*40, US: 1.1 times, searches never multiplied
    (
        "claude-opus-5-5",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "speed": "fast",
            "inference_geo": "us",
            "server_tool_use": {"web_search_requests": 2},
        },
        308_000_000 + 20_000_000_000,
    ),
    # 700*4 + 80*20, a compaction 50000*4 + 900*20, an adviser of another model 1200*8 + 1500*40
    (
        "claude-opus-5-5",
        {
            "input_tokens": 700,
            "output_tokens": 80,
            "iterations": [
                {"type": "compaction", "input_tokens": 50_000, "output_tokens": 900},
                {"type": "advisor_message", "model": "claude-fable-5-2", "input_tokens": 1200, "output_tokens": 1500},
                {"type": "message", "input_tokens": 700, "output_tokens": 80},
            ],
        },
        292_000_000_000,
    ),
    # a fallback: the declined attempt is free, the entry that answered has its own price: 100*2 + 10*10
    (
        "claude-opus-5-5",
        {
            "input_tokens": 100,
            "output_tokens": 10,
            "iterations": [
                {"type": "message", "input_tokens": 100, "output_tokens": 0},
                {"type": "fallback_message", "model": "claude-sonnet-5-5", "input_tokens": 100, "output_tokens": 10},
            ],
        },
        300_000_000,
    ),
]


@pytest.mark.parametrize(("model", "usage", "expected"), CASES)
def test_cost_is_the_amount_worked_out_by_hand(model: str, usage: dict[str, Any], expected: int) -> None:
    assert cost_pusd(model, usage) == expected


BODY = b'{"model":"claude-opus-5-5","messages":[{"role":"user","content":"hi"}]}'


def request(body: bytes = BODY, **headers: str) -> Request:
    return Request(method="POST", target="/v1/messages", headers=tuple(headers.items()), body=body)


def test_answer_cut_short_is_billed_for_what_was_produced() -> None:
    streamed = request(b'{"model":"claude-opus-5-5","stream":true,"messages":[{"role":"user","content":"hi"}]}')
    reply = message(streamed, [text("x" * 240)])
    tally = Tally(streamed, reply, "req_1")
    for step in reply.steps[:6]:
        assert isinstance(step, Chunk)
        tally.count(step)
    line = tally.line("cut_by_client")
    assert reply.usage is not None and line.usage is not None
    assert 0 < line.usage["output_tokens"] == line.output_tokens < reply.usage["output_tokens"]
    assert line.billed and line.cost_pusd == cost_pusd("claude-opus-5-5", line.usage)


def test_answer_of_which_nothing_was_sent_is_free() -> None:
    line = Tally(request(), message(request(), [text("hi")]), "req_1").line("cut_by_client")
    assert (line.billed, line.cost_pusd) == (False, 0)


def test_model_without_a_card_is_billed_but_not_priced() -> None:
    asked = request(b'{"model":"someone/else","messages":[{"role":"user","content":"hi"}]}')
    reply = message(asked, [text("hi")])
    tally = Tally(asked, reply, "req_1")
    for step in reply.steps:
        assert isinstance(step, Chunk)
        tally.count(step)
    line = tally.line("complete")
    assert (line.billed, line.priced, line.cost_pusd) == (True, False, 0)


def test_lines_keep_no_credential_but_its_digest(tmp_path: Path) -> None:
    invoice = Invoice(tmp_path / "lines")
    asked = request(**{"x-api-key": "sk-secret", "x-claude-code-session-id": "s1"})
    invoice.add(Tally(asked, message(asked, [text("hi")]), "req_1").line("complete"))
    invoice.close()
    (line,) = read_lines(tmp_path / "lines")
    assert "sk-secret" not in (tmp_path / "lines").read_text()
    assert (line.credential, len(line.credential_sha256), line.headers) == ("x-api-key", 64, {"x-claude-code-session-id": "s1"})
    assert invoice.lines(session="s1") == [line] and not invoice.lines(session="s2")


def test_unfinished_last_line_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b'{"request_id":"req_')
    assert read_lines(tmp_path / "lines") == []
