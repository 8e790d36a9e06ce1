"""The real Claude Code with another provider behind it: a subagent that runs a tool, to the end, and each session's ledger is the
invoice. The fakes speak Chat Completions, Responses, Gemini, Converse and InvokeModel, and share nothing with gw's translation.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from gw.domain.key import mint
from tests.support.claude import Desk, allow
from tests.support.fakes.ground import MODELS, configured
from tests.support.fakes.server import Fakes, keys, total_pusd
from tests.support.gateway import GatewayUnderTest

BEHIND = ("chat", "responses", "gemini", "converse", "invoke")
TIERS = """
[[key]]
name = "{name}"
secret = "env:GW_TEST_KEY_{variable}"
[[tiers.override]]
key = "{name}"
haiku = "{model}"
sonnet = "{model}"
opus = "{model}"
fable = "{model}"
"""


class Elsewhere(NamedTuple):
    gateway: GatewayUnderTest
    fakes: Fakes
    keys: dict[str, str]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """Each key's Claude models are another upstream's."""
    minted = {name: mint().text for name in BEHIND}
    environ = {**keys(), **{f"GW_TEST_KEY_{name.upper()}": key for name, key in minted.items()}}
    with Fakes() as fakes:
        more = configured(fakes) + "".join(TIERS.format(name=name, variable=name.upper(), model=MODELS[name]) for name in BEHIND)
        folder = tmp_path_factory.mktemp("elsewhere")
        with GatewayUnderTest(folder, fakes.url("anthropic"), more=more, environ=environ) as gateway:
            yield Elsewhere(gateway, fakes, minted)


@pytest.mark.parametrize("name", BEHIND)
def test_a_subagent_and_its_tool_come_to_their_end(elsewhere: Elsewhere, new_desk: Desk, name: str) -> None:
    tag = f"e2e-{name}"
    environ = {"ANTHROPIC_AUTH_TOKEN": elsewhere.keys[name]}
    url = f"{elsewhere.gateway.base_url}/anthropic"
    run = new_desk.run(url, f"go [scene:agent {tag}]", environ, *allow("Bash", "Agent", "Task"))
    assert run.status == 0, (run.text, run.err[-2000:])
    assert run.text == f"The agent is back [{tag}]."
    bills = [bill for bill in elsewhere.fakes.bills.bills() if bill.dialect == name]
    rows = elsewhere.gateway.session_rows(run.session, len(bills))
    assert {row["upstream_request_id"] for row in rows if row["billed_pusd"]} == {bill.request_id for bill in bills}
    assert sum(row["billed_pusd"] for row in rows) == total_pusd(bills) > 0
    assert {(row["outcome"], row["usage_source"], row["upstream"]) for row in rows} == {("completed", "exact", name)}
    assert {row["requested_model"].split("-")[0] for row in rows} == {"claude"}
    if name != "converse":  # which does not count them; the fakes see to it that a thought's seal comes back
        assert sum(row["thinking_tokens"] > 0 for row in rows) == 1
    agents = [row for row in rows if row["agent_id"]]
    assert len(agents) == 2 and len(elsewhere.fakes.bills.of(f"{tag}-sub")) == 2  # its tool's call, and its last words
    assert len(elsewhere.fakes.bills.of(tag)) == 2
