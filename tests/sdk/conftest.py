"""One gateway in front of all fakes, for the official SDKs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gw.domain.key import mint
from tests.sdk.clients.asking import Client
from tests.sdk.clients.aws import Converse, Invoke
from tests.sdk.clients.claude import Claude
from tests.sdk.clients.google import Google
from tests.sdk.clients.gpt import Chat, Responses
from tests.support.fakes.server import Fakes, keys
from tests.support.gateway import GatewayUnderTest

UPSTREAMS = """
[[upstream]]
name = "anthropic"
base_url = "{anthropic}"
api_key = "env:GW_FAKE_ANTHROPIC"
[[upstream]]
name = "chat"
provider = "openai"
api = "chat"
base_url = "{chat}"
api_key = "env:GW_FAKE_CHAT"
models = ["*", "listed-1", "listed-2"]
[[upstream]]
name = "deepseek"
provider = "deepseek"
base_url = "{deepseek}"
api_key = "env:GW_FAKE_DEEPSEEK"
[[upstream]]
name = "responses"
provider = "openai"
api = "responses"
base_url = "{responses}"
api_key = "env:GW_FAKE_RESPONSES"
[[upstream]]
name = "gemini"
provider = "gemini"
base_url = "{gemini}"
api_key = "env:GW_FAKE_GEMINI"
[[upstream]]
name = "converse"
provider = "bedrock"
api = "converse"
region = "us-east-1"
base_url = "{converse}"
[[upstream.credential]]
name = "main"
aws_access_key_id = "env:GW_FAKE_CONVERSE"
aws_secret_access_key = "env:GW_FAKE_SECRET"
[[upstream]]
name = "invoke"
provider = "bedrock"
api = "invoke"
region = "us-east-1"
base_url = "{invoke}"
api_key = "env:GW_FAKE_INVOKE"
[[upstream]]
name = "vertex"
provider = "vertex"
region = "europe-west1"
project = "p"
base_url = "{vertex}"
api_key = "env:GW_FAKE_VERTEX"
[[upstream]]
name = "cohere"
provider = "cohere"
base_url = "{cohere}"
api_key = "env:GW_FAKE_COHERE"
"""
MORE = """
[[route]]
model = "everyday"
candidates = [{ upstream = "anthropic", model = "claude-opus-5-5" }]
[routing]
breaker_failures = 1000
breaker_percent = 100
breaker_calls_min = 100000
[[key]]
name = "ada"
secret = "env:GW_TEST_ADA"
[[pricing.override]]
name = "cohere"
upstream = "cohere"
model = "command-a-reasoning-*"
input = "2.50"
output = "10"
"""


class House:
    """`clients`: each SDK as it is set up by whoever uses gw."""

    def __init__(self, gateway: GatewayUnderTest, fakes: Fakes, key: str) -> None:
        self.gateway = gateway
        self.fakes = fakes
        self.key = key
        made = [one(gateway.base_url, key) for one in (Claude, Chat, Responses, Google, Converse, Invoke)]
        self.clients: dict[str, Client] = {one.name: one for one in made}


@pytest.fixture(scope="session")
def sdk_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    key = mint().text
    folder: Path = tmp_path_factory.mktemp("sdk")
    with Fakes() as fakes:
        urls = {name: fakes.url(name) for name in keys_of(UPSTREAMS)}
        more = UPSTREAMS.format(**urls) + MORE
        with GatewayUnderTest(folder, fakes.url("anthropic"), more=more, environ={**keys(), "GW_TEST_ADA": key}) as gateway:
            house = House(gateway, fakes, key)
            yield house
            for client in house.clients.values():
                client.close()


def keys_of(template: str) -> list[str]:
    return [line.split('"')[1] for line in template.splitlines() if line.startswith("name = ") and '"main"' not in line]
