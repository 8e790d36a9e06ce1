"""Effort, caps, sampling, formats and quirks of a generateContent request."""

import pytest

from gw.errors import Refusal
from gw.translate.dialect import Quirks
from gw.translate.form import Effort, Format, Json, Text, Tool
from gw.translate.gemini_body import write_request
from tests.translate.test_gemini_body import NEW, OLD, asked, written


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        (NEW, Effort(), None),
        (NEW, Effort(level="max"), {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (NEW, Effort("adaptive", "medium", shown=False), {"includeThoughts": False, "thinkingLevel": "MEDIUM"}),
        (NEW, Effort("adaptive"), {"includeThoughts": True}),
        (NEW, Effort("on", budget=31_999), {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (NEW, Effort("off"), {"includeThoughts": False, "thinkingLevel": "LOW"}),
        ("gemini-3.5-flash", Effort("off"), {"includeThoughts": False, "thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro-preview", Effort(level="medium"), {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (OLD, Effort("on", budget=31_999), {"includeThoughts": True, "thinkingBudget": 24_576}),
        (OLD, Effort("off"), {"includeThoughts": False, "thinkingBudget": 0}),
        (OLD, Effort("adaptive"), {"includeThoughts": True, "thinkingBudget": -1}),
        (OLD, Effort(level="low"), {"includeThoughts": True, "thinkingBudget": 1_024}),
        ("gemini-2.5-pro", Effort("off"), {"includeThoughts": False, "thinkingBudget": 128}),
        ("gemini-2.5-pro", Effort(level="max"), {"includeThoughts": True, "thinkingBudget": 32_768}),
        ("gemini-2.0-flash", Effort("on", budget=9_000), None),
        ("gemma-3-27b-it", Effort("adaptive", "high"), None),
    ],
)
def test_effort_by_the_generation_of_the_model(model: str, effort: Effort, config: Json | None) -> None:
    assert written(asked(model=model, effort=effort)).get("generationConfig", {}).get("thinkingConfig") == config


@pytest.mark.parametrize(
    ("model", "quirks", "most"),
    [
        (NEW, Quirks(), 65_535),
        ("gemini-2.0-flash", Quirks(), 8_192),
        ("gemma-3", Quirks(), 128_000),
        (NEW, Quirks(max_tokens_most=9), 9),
    ],
)
def test_the_cap_is_lowered_to_what_the_model_takes(model: str, quirks: Quirks, most: int) -> None:
    assert written(asked(model=model, max_tokens=128_000), quirks)["generationConfig"]["maxOutputTokens"] == most


def test_sampling_and_stops() -> None:
    request = asked(
        temperature=0.1,
        top_p=0.2,
        top_k=3,
        seed=4,
        frequency_penalty=0.5,
        presence_penalty=0.6,
        stop=("a", "b", "c", "d", "e", "f"),
    )
    assert written(request)["generationConfig"] == {
        "temperature": 0.1, "topP": 0.2, "topK": 3, "seed": 4, "frequencyPenalty": 0.5, "presencePenalty": 0.6,
        "stopSequences": ["a", "b", "c", "d", "e"],
    }  # fmt: skip
    assert request.lost == ["stop sequences beyond 5"]


def test_penalties_are_left_out_where_they_are_refused() -> None:
    request = asked(model="gemini-3.8-flash", presence_penalty=0.5)
    assert "generationConfig" not in written(request) and request.lost == ["presencePenalty"]


def test_structured_output_is_a_field_and_words_where_there_is_none() -> None:
    form = Format("schema", schema={"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False})
    config = written(asked(format=form))["generationConfig"]
    assert config == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
    }
    for request, quirks in (
        (asked(model=OLD, format=form, tools=(Tool("f"),)), Quirks()),
        (asked(format=form), Quirks(json_schema=False)),
    ):
        body = written(request, quirks)
        assert "JSON" in body["systemInstruction"]["parts"][-1]["text"] and "generationConfig" not in body


def test_several_answers_at_once_are_refused() -> None:
    with pytest.raises(Refusal, match="3 answers"):
        write_request(asked(choices=3, dialect="chat"), Quirks())


def test_quirks_take_out_and_put_in() -> None:
    quirks = Quirks(fields_dropped=("serviceTier",), extra={"safetySettings": [1], "generationConfig": {"topK": 1, "seed": 9}})
    request = asked(dialect="chat", service_tier="flex", seed=5)
    body = write_request(request, quirks)
    assert body["generationConfig"] == {"topK": 1, "seed": 5} and body["safetySettings"] == [1]
    assert "serviceTier" not in body and request.lost == ["serviceTier"]


def test_the_attribution_line_of_claude_code_stays_out() -> None:
    system = (Text("x-anthropic-billing-header: cc_version=2;"), Text("You are."), Text("More."))
    assert written(asked(system=system))["systemInstruction"] == {"parts": [{"text": "You are."}, {"text": "More."}]}


def test_fields_of_other_dialects_are_named_as_lost() -> None:
    request = asked(foreign={"context_management": {}})
    written(request)
    assert request.lost == ["context_management"]
