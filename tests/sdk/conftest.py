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
from tests.support.fakes.ground import configured
from tests.support.fakes.server import Fakes, keys
from tests.support.gateway import GatewayUnderTest

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
"""


class House:
    """`clients`: each SDK as it is set up by whoever uses gw."""

    def __init__(self, gateway: GatewayUnderTest, fakes: Fakes, key: str) -> None:
        self.gateway = gateway
        self.fakes = fakes
        self.key = key
        made = [one(gateway.base_url, key) for one in (Claude, Chat, Responses, Google, Converse, Invoke)]
        self.clients: dict[str, Client] = {one.name: one for one in made}


@pytest.fixture(scope="package")
def sdk_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    key = mint().text
    folder: Path = tmp_path_factory.mktemp("sdk")
    with Fakes() as fakes:
        more = configured(fakes) + MORE
        with GatewayUnderTest(folder, fakes.url("anthropic"), more=more, environ={**keys(), "GW_TEST_ADA": key}) as gateway:
            house = House(gateway, fakes, key)
            yield house
            for client in house.clients.values():
                client.close()
