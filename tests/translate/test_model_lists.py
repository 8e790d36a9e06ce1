"""Lists of models, as the SDKs read them."""

from anthropic.types import ModelInfo
from google.genai import types
from openai.types import Model as OpenAIModel

from gw.translate.model_lists import SHAPES, Model

MODELS = [Model("claude-opus-5-5", "Opus 5.5", 1_790_000_000), Model("groq/llama-3.3-70b", input_most=131_072)]


def test_each_dialects_types_know_its_list() -> None:
    rows = SHAPES["chat"][0](MODELS)
    assert [OpenAIModel.model_validate(row, strict=True).id for row in rows["data"]] == [one.id for one in MODELS]
    rows = SHAPES["anthropic"][0](MODELS)
    found = [ModelInfo.model_validate(row) for row in rows["data"]]
    assert [one.display_name for one in found] == ["Opus 5.5", "groq/llama-3.3-70b"] and found[0].created_at.year == 2026
    assert (rows["has_more"], rows["first_id"], rows["last_id"]) == (False, MODELS[0].id, MODELS[1].id)
    rows = SHAPES["gemini"][0](MODELS)
    other = {"baseModelId": None, "supportedGenerationMethods": "supportedActions"}  # what the SDK leaves out, and renames
    told = [{other.get(name, name): value for name, value in row.items() if other.get(name, name)} for row in rows["models"]]
    models = [types.Model.model_validate(row) for row in told]
    assert models[1].name == "models/groq/llama-3.3-70b" and models[1].input_token_limit == 131_072


def test_an_empty_list() -> None:
    assert SHAPES["anthropic"][0]([]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    assert SHAPES["responses"][0]([]) == {"object": "list", "data": []}
