"""A client's own credential is for one provider: whatever a route, a tier or a rule says, no other upstream gets to see it, nor
does any upstream get to see a virtual key. Every family of clients against every kind of upstream."""

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from tests.flow.landscape import Landscape, landscape

OWN = "own-login-of-the-client-0123456789"
JSON = Reply(200, answers.JSON_HEADERS)


class Family(NamedTuple):
    """How clients of a kind ask, and where their credential stands. `home`: the upstream that they are a login for."""

    name: str
    path: str
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...]
    home: str


SAID = [{"role": "user", "content": "hi"}]
PARTS = [{"role": "user", "parts": [{"text": "hi"}]}]
MESSAGES = {"model": "{}", "max_tokens": 9, "messages": SAID}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
INVOKE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": SAID}
BEARER = (("authorization", f"Bearer {OWN}"),)
SIGNED = (("authorization", f"AWS4-HMAC-SHA256 Credential={OWN}/20261121/us-east-1/bedrock/aws4_request, Signature=00"),)
FAMILIES = [
    Family("anthropic key", "/v1/messages", MESSAGES, (("x-api-key", OWN),), "anthropic"),
    Family("anthropic login", "/anthropic/v1/messages", MESSAGES, BEARER, "anthropic"),
    Family("count", "/v1/messages/count_tokens", {"model": "{}", "messages": SAID}, BEARER, "anthropic"),
    Family("chat", "/v1/chat/completions", {"model": "{}", "messages": SAID}, BEARER, "openai"),
    Family("azure's chat", "/openai/v1/chat/completions", {"model": "{}", "messages": SAID}, (("api-key", OWN),), "openai"),
    Family("responses", "/v1/responses", {"model": "{}", "input": "hi"}, BEARER, "openai"),
    Family("completions", "/v1/completions", {"model": "{}", "prompt": "hi"}, BEARER, "openai"),
    Family("embeddings", "/v1/embeddings", {"model": "{}", "input": "hi"}, BEARER, "openai"),
    Family("gemini", "/genai/v1beta/models/{}:generateContent", {"contents": PARTS}, (("x-goog-api-key", OWN),), "gemini"),
    Family("gemini query", f"/genai/v1beta/models/{{}}:generateContent?key={OWN}", {"contents": PARTS}, (), "gemini"),
    Family("gemini count", "/genai/v1beta/models/{}:countTokens", {"contents": PARTS}, (("x-goog-api-key", OWN),), "gemini"),
    Family("converse", "/bedrock/model/{}/converse", CONVERSE, BEARER, "bedrock"),
    Family("converse signed", "/bedrock/model/{}/converse-stream", CONVERSE, SIGNED, "bedrock"),
    Family("invoke", "/bedrock/model/{}/invoke", INVOKE, BEARER, "bedrock"),
]
UPSTREAMS = {  # name -> the rest of its table
    "anthropic": "",
    "openai": "",
    "gemini": "",
    "bedrock": 'region = "us-east-1"',
    "vertex": 'project = "p"',
    "cohere": "",
    "azure": "",
    "groq": "",
    "lab": 'provider = "custom"\ndialect = "chat"',
    "mimic": 'provider = "custom"\ndialect = "anthropic"',
}
HOMES = ("anthropic", "openai", "gemini", "bedrock")


def config(route: str) -> str:
    """Each family's own upstream serves the models of its name; a route, a tier or a rule sends them all to another one."""
    order = [*HOMES, *(name for name in UPSTREAMS if name not in HOMES)]
    return "".join(_upstream(name) for name in order) + route


def _upstream(name: str) -> str:
    provider = "" if "provider" in UPSTREAMS[name] else f'provider = "{name}"'
    models = f'models = ["{name}-*"]'
    address = f'base_url = "@{name}@"\napi_key = "sk-gw-{name}"'
    return f'[[upstream]]\nname = "{name}"\n{provider}\n{address}\n{models}\n{UPSTREAMS[name]}\n'


def routes() -> str:
    found = [
        f'[[route]]\nmodel = "{home}-to-{to}"\ncandidates = [{{ upstream = "{to}", model = "claude-opus-5-5" }}]\n'
        for home, to in product(HOMES, UPSTREAMS)
    ]
    return "".join(found)


def rules() -> str:
    found = [
        f'[[rule]]\nname = "{home} {to}"\nwhen = {{ model = "{home}-to-{to}" }}\n'
        f'do = {{ candidates = [{{ upstream = "{to}", model = "claude-opus-5-5" }}] }}\n'
        for home, to in product(HOMES, UPSTREAMS)
    ]
    return "".join(found)


def holds(request: Request, secret: str) -> bool:
    seen = repr((request.target, request.headers)) + request.body.decode("latin-1")
    return secret in seen


def named(family: Family, model: str) -> tuple[str, dict[str, Any]]:
    body = {**family.body, "model": model} if "model" in family.body else family.body
    return family.path.replace("{}", model), body


async def shown(house: Landscape, secret: str) -> dict[str, list[str]]:
    return {name: [one.target for one in seen if holds(one, secret)] for name, seen in house.seen.items()}


@pytest.mark.parametrize("told", [routes, rules], ids=["routes", "rules"])
async def test_no_other_provider_sees_a_clients_own_login(tmp_path: Path, told: Any) -> None:
    async with landscape(tmp_path, config(told())) as house:
        for family, to in product(FAMILIES, UPSTREAMS):
            path, body = named(family, f"{family.home}-to-{to}")
            before = {name: len(seen) for name, seen in house.seen.items()}
            answered = await house.send(body, path=path, headers=family.headers)
            for name, seen in house.seen.items():
                for request in seen[before[name] :]:
                    assert name == family.home, f"{family.name} was sent to {name} ({answered.status}): {request.headers}"
            if to != family.home and told is routes:
                assert answered.status >= 400 and answered.headers["x-gw-error"], (family.name, to, answered.body)
        for name, targets in (await shown(house, OWN)).items():
            assert name in HOMES or not targets, (name, targets)


async def test_a_login_goes_to_the_provider_of_the_model_in_the_header_that_it_wants(tmp_path: Path) -> None:
    """And to no candidate of another provider, in whatever order they stand."""
    route = "".join(
        f'[[route]]\nmodel = "{home}-any"\ncandidates = [{{ upstream = "lab", model = "claude-opus-5-5" }}, '
        f'{{ upstream = "{home}", model = "claude-opus-5-5", priority = 2 }}]\n'
        for home in HOMES
    )
    wanted = {"anthropic key": "x-api-key", "gemini": "x-goog-api-key", "gemini query": "x-goog-api-key"}
    wanted["gemini count"] = "x-goog-api-key"
    async with landscape(tmp_path, config(route)) as house:
        for family in FAMILIES:
            if family.name in ("azure's chat", "embeddings", "completions"):
                continue  # Azure's key is none of OpenAI's; of the other two the model is none
            path, body = named(family, f"{family.home}-any")
            answered = await house.send(body, path=path, headers=family.headers)
            found = [name for name, targets in (await shown(house, OWN)).items() if targets]
            if family.home == "bedrock":  # its logins are signatures, which only their owner can make
                assert not found and answered.headers["x-gw-error"] == "virtual_key_required", (family.name, found)
                continue
            assert found == [family.home], (family.name, found, answered.status, answered.body)
            request = house.last(family.home)
            assert request.header(wanted.get(family.name, "authorization")).endswith(OWN), (family.name, request.headers)
            assert OWN not in request.target
            house.seen[family.home].clear()


async def test_what_passes_as_it_is_goes_to_the_family_whose_login_it_is(tmp_path: Path) -> None:
    """The first upstream that has the path is one that only speaks the family's words."""
    order = "".join(_upstream(name) for name in ("lab", "groq", "mimic", "openai", "anthropic", "gemini"))
    async with landscape(tmp_path, order) as house:
        for path, home in (("/openai/v1/files", "openai"), ("/v1/files", "anthropic"), ("/genai/v1beta/files", "gemini")):
            await house.send(b"", path=path, headers=BEARER, method="GET")
            found = [name for name, targets in (await shown(house, OWN)).items() if targets]
            assert set(found) <= {"openai", "anthropic", "gemini"}, (path, found)
            assert home in found, (path, found)


async def test_a_virtual_key_is_seen_by_nobody(tmp_path: Path) -> None:
    key = '[[key]]\nname = "ada"\nsecret = "#ada#"\n[pricing]\nunknown_model = "allow_unpriced"\n'
    async with landscape(tmp_path, config(routes() + key)) as house:
        secret = house.keys["ada"]
        for family, to in product(FAMILIES, UPSTREAMS):
            path, body = named(family, f"{family.home}-to-{to}")
            headers = [(name, value.replace(OWN, secret)) for name, value in family.headers]
            answered = await house.send(body, path=path.replace(OWN, secret), headers=headers)
            assert answered.headers.get("x-gw-error") not in ("unknown_key", "missing_credential"), (family.name, answered.body)
        assert sum(map(len, house.seen.values())) > 40, "the matrix proves too little"
        assert not any((await shown(house, secret)).values())
        assert not any((await shown(house, "gwk_")).values())
        for name, seen in house.seen.items():
            for request in seen:
                others = [one for one in UPSTREAMS if one != name and holds(request, f"sk-gw-{one}")]
                assert not others, f"{name} was shown gw's key of {others}"


async def test_two_custom_upstreams_are_two_providers(tmp_path: Path) -> None:
    other = '[[upstream]]\nname = "other"\nprovider = "custom"\ndialect = "anthropic"\nbase_url = "@other@"\n'
    route = '[[route]]\nmodel = "mimic-1"\ncandidates = [{ upstream = "other", model = "other-1" }]\n'
    async with landscape(tmp_path, _upstream("mimic") + other + route) as house:
        answered = await house.send({"model": "mimic-1", "max_tokens": 9, "messages": SAID}, headers=BEARER)
        assert (answered.status, answered.headers["x-gw-error"]) == (400, "upstream_not_allowed") and not house.asked()
