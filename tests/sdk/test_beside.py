"""What SDKs ask for beside conversations: old completions, embeddings, lists of models, counts of tokens, files and batches."""

import io
import json
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types

from tests.sdk.conftest import House
from tests.support.fakes.beside import BATCH_TOKENS, COUNT, RESULTS, TITLE, VECTOR
from tests.support.fakes.ground import MODELS
from tests.support.fakes.scenes import PLAIN
from tests.support.fakes.speaker import RATES, times
from tests.support.gateway import Row

EMBEDDERS = {
    "chat": "chat/text-embedding-3-small",
    "gemini": "gemini/gemini-embedding-001",
    "cohere": "cohere/embed-v4.0",
}


def sdk(house: House, name: str) -> Any:
    return getattr(house.clients[name], "sdk")


def billed(house: House, tag: str) -> Row:
    """The row of the one answer of this tag, whose charge is the fake's invoice."""
    (bill,) = house.fakes.bills.of(tag)
    (row,) = house.gateway.settled(bool, "upstream_request_id = ?", [bill.request_id])
    assert row["billed_pusd"] == bill.cost_pusd > 0 and row["usage_source"] == "exact" and row["outcome"] == "completed"
    return row


@pytest.mark.parametrize("upstream", MODELS)
def test_old_completions_go_anywhere(sdk_house: House, upstream: str) -> None:
    asked = {"model": MODELS[upstream], "max_tokens": 50}
    whole = sdk(sdk_house, "chat").completions.create(prompt=f"Say it. [scene:free cw-{upstream}]", **asked)
    assert (whole.object, whole.choices[0].text, whole.choices[0].finish_reason) == ("text_completion", PLAIN, "stop")
    row = billed(sdk_house, f"cw-{upstream}")
    assert whole.usage.completion_tokens == row["output_tokens"] and row["dialect"] == "completions"
    stream = sdk(sdk_house, "chat").completions.create(prompt=f"Say it. [scene:free cs-{upstream}]", stream=True, **asked)
    with stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == PLAIN
    assert not any(chunk.usage for chunk in chunks)  # not asked for
    billed(sdk_house, f"cs-{upstream}")


@pytest.mark.parametrize("upstream", EMBEDDERS)
def test_embeddings_of_openai_clients(sdk_house: House, upstream: str) -> None:
    texts = [f"[scene:embed o-{upstream}]", "another text"]
    answer = sdk(sdk_house, "chat").embeddings.create(model=EMBEDDERS[upstream], input=texts)  # the SDK asks for base64
    assert [one.embedding for one in answer.data] == [VECTOR, VECTOR]
    row = billed(sdk_house, f"o-{upstream}")
    assert row["endpoint"] == "embeddings" and answer.usage.prompt_tokens == row["input_tokens"] == sum(map(len, texts))


@pytest.mark.parametrize("upstream", EMBEDDERS)
def test_embeddings_of_google_clients(sdk_house: House, upstream: str) -> None:
    texts = [f"[scene:embed g-{upstream}]", "another text"]
    answer = sdk(sdk_house, "gemini").models.embed_content(model=EMBEDDERS[upstream], contents=texts)
    assert [one.values for one in answer.embeddings] == [VECTOR, VECTOR]
    assert billed(sdk_house, f"g-{upstream}")["input_tokens"] == sum(map(len, texts))


def test_each_sdk_lists_the_models_that_the_configuration_names(sdk_house: House) -> None:
    listed = {
        "anthropic": [one.id for one in sdk(sdk_house, "anthropic").models.list()],
        "chat": [one.id for one in sdk(sdk_house, "chat").models.list()],
        "gemini": [one.name.removeprefix("models/") for one in sdk(sdk_house, "gemini").models.list()],
    }
    assert listed["anthropic"] == listed["chat"] == listed["gemini"] == ["everyday", "listed-1", "listed-2"]


@pytest.mark.parametrize("upstream", MODELS)
def test_tokens_are_counted_for_each_sdk(sdk_house: House, upstream: str) -> None:
    """By the upstream, where it counts; else estimated."""
    text, model = "How many tokens are there? " * 100, MODELS[upstream]
    messages = [{"role": "user", "content": text}]
    said = sdk(sdk_house, "anthropic").messages.count_tokens(model=model, system="Be brief.", messages=messages)
    google = sdk(sdk_house, "gemini").models.count_tokens(model=model, contents=text)
    openai = sdk(sdk_house, "chat").responses.input_tokens.count(model=model, input=text)
    converse = {"messages": [{"role": "user", "content": [{"text": text}]}]}
    aws = sdk(sdk_house, "converse").count_tokens(modelId=model, input={"converse": converse})
    counted = [said.input_tokens, google.total_tokens, openai.input_tokens, aws["inputTokens"]]
    if upstream in {"chat", "cohere", "deepseek"}:  # who do not count
        assert all(500 < one < 1500 for one in counted)
    else:
        assert counted == [COUNT] * 4


def results_rows(house: House, model: str) -> list[Row]:
    """Of a batch: a row for each result, at half the price, whatever was read how often."""
    rows = house.gateway.settled(lambda rows: len(rows) >= RESULTS, "call_id LIKE 'gw_b%' AND served_model = ?", [model])
    full = [times(RATES[model], one.fresh, one.output, one.read) for one in BATCH_TOKENS]
    assert sorted(row["billed_pusd"] for row in rows) == sorted(cost // 2 for cost in full)
    assert {row["input_tokens"] for row in rows} == {one.fresh for one in BATCH_TOKENS}
    return rows


def test_batches_of_the_openai_sdk_are_priced_once(sdk_house: House) -> None:
    client = sdk(sdk_house, "chat")
    asked = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-5.6"}}
    content = "\n".join(json.dumps({"custom_id": f"c{at}", **asked}) for at in range(RESULTS)).encode()
    file = client.files.create(file=(TITLE, io.BytesIO(content)), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    for _ in range(2):
        read = client.files.content(batch.output_file_id).text.splitlines()
        assert [json.loads(line)["custom_id"] for line in read] == [f"c{at}" for at in range(RESULTS)]
    results_rows(sdk_house, "gpt-5.6")


def test_batches_of_the_anthropic_sdk_are_priced_once(sdk_house: House) -> None:
    """The address of the results leads back through gw, not past it with the virtual key."""
    batches = sdk(sdk_house, "anthropic").messages.batches
    params = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    batch = batches.create(requests=[{"custom_id": f"c{at}", "params": params} for at in range(RESULTS)])
    for _ in range(2):
        found = list(batches.results(batch.id))
        assert sorted(one.custom_id for one in found) == ["bad", *(f"c{at}" for at in range(RESULTS))]
    results_rows(sdk_house, "claude-opus-5-5")


def test_what_no_upstream_has_is_refused_in_the_sdks_own_words(sdk_house: House) -> None:
    client = sdk_house.clients["chat"]
    with pytest.raises(client.refusals[404]) as refused:
        sdk(sdk_house, "chat").fine_tuning.jobs.list()
    assert "Nothing is served at /v1/fine_tuning/jobs" in str(refused.value)


def test_a_google_client_gets_its_own_errors(sdk_house: House) -> None:
    client = sdk_house.clients["gemini"]
    with pytest.raises(client.refusals[404]) as refused:
        sdk(sdk_house, "gemini").models.generate_content(model="nobody/knows-it", contents=[types.Part(text="hi")])
    assert "nobody/knows-it" in str(refused.value)


@pytest.mark.parametrize("upstream", ["anthropic", "responses"])
def test_a_google_client_of_vertex_names_upstreams_too(sdk_house: House, upstream: str) -> None:
    """As google-genai writes `upstream/model` where it speaks to Vertex AI: publishers/UPSTREAM/models/MODEL."""
    options = types.HttpOptions(base_url=f"{sdk_house.gateway.base_url}/genai", timeout=20_000)
    client = genai.Client(vertexai=True, api_key=sdk_house.key, http_options=options)
    try:
        answer = client.models.generate_content(model=MODELS[upstream], contents=f"Say it. [scene:free v-{upstream}]")
    finally:
        client.close()
    assert answer.text == PLAIN and answer.model_version == MODELS[upstream]
    assert billed(sdk_house, f"v-{upstream}")["dialect"] == "gemini"


@pytest.mark.parametrize("upstream", ["gemini", "chat"])
def test_counts_are_read_in_their_longer_form(sdk_house: House, upstream: str) -> None:
    """As Google's other clients ask: a whole request, with its system prompt and tools."""
    inner = {"model": "models/x", "contents": [{"role": "user", "parts": [{"text": "How many? " * 200}]}]}
    url = f"{sdk_house.gateway.base_url}/genai/v1beta/models/{MODELS[upstream]}:countTokens"
    answer = httpx.post(url, json={"generateContentRequest": inner}, headers={"x-goog-api-key": sdk_house.key})
    assert answer.status_code == 200, answer.text
    assert answer.json()["totalTokens"] == COUNT if upstream == "gemini" else 300 < answer.json()["totalTokens"] < 1500
