"""One gateway in front of one fake upstream for all end-to-end tests; each test looks at its own sessions only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gw.demo.invoice import Line
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.support.claude import NEW, OLD, Desk, Version
from tests.support.gateway import GatewayUnderTest, Row

KEYS = {"ada": "", "small": 'models = ["claude-haiku-*"]', "gone": "active = false", "late": "expires = 2026-01-01T00:00:00Z"}
PRICED = """
[[pricing.override]]
name = "groq at list"
model = "groq/*"
key = "ada"
input = "0.59"
output = "0.79"
cache_read = "0.59"
cache_write_5m = "0.59"
cache_write_1h = "0.59"
"""


@dataclass(frozen=True)
class House:
    """Gateway, upstream and the virtual keys by name."""

    gateway: GatewayUnderTest
    upstream: UpstreamThread
    keys: dict[str, str]

    @property
    def url(self) -> str:
        return f"{self.gateway.base_url}/anthropic"

    def bills(self, session: str, *, refused: int = 0) -> tuple[list[Row], list[Line]]:
        """The session's rows and the invoice's lines, once there is a row for each line and each refusal."""
        lines = self.upstream.invoice.lines(session=session)
        return self.gateway.session_rows(session, len(lines) + refused), lines


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    keys = {name: mint().text for name in KEYS}
    more = '[[customer]]\nname = "acme"\n[[team]]\nname = "platform"\ncustomer = "acme"\n'
    for name, extra in KEYS.items():
        more += f'[[key]]\nname = "{name}"\nteam = "platform"\nsecret = "env:GW_TEST_KEY_{name.upper()}"\n{extra}\n'
    environ = {f"GW_TEST_KEY_{name.upper()}": key for name, key in keys.items()}
    folder = tmp_path_factory.mktemp("house")
    with (
        UpstreamThread(by_prompt) as upstream,
        GatewayUnderTest(folder, upstream.base_url, more=more + PRICED, environ=environ) as gateway,
    ):
        yield House(gateway, upstream, keys)


@pytest.fixture(params=[NEW, OLD], ids=lambda version: version.number)
def version(request: pytest.FixtureRequest) -> Version:
    return request.param


@pytest.fixture
def desk(version: Version, tmp_path: Path) -> Desk:
    return Desk(version, tmp_path)


@pytest.fixture
def new_desk(tmp_path: Path) -> Desk:
    return Desk(NEW, tmp_path)


