"""The real Claude Code, 200 calls in one session: what it sent takes a twentieth of its bytes, and comes back byte by byte."""

import random
from pathlib import Path

from gw.config.load import load
from gw.content.library import Library
from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.support.claude import Desk, allow
from tests.support.gateway import GatewayUnderTest

TURNS = 200
ROOM = 0.05
MORE = """
[content]
store = "all"
redact_api_keys = false
redact_private_keys = false
[[key]]
name = "ada"
secret = "env:GW_TEST_KEY"
"""


def test_a_real_session_of_200_calls_takes_a_twentieth_of_its_bodies(new_desk: Desk, tmp_path: Path) -> None:
    bodies: list[bytes] = []

    def long_loop(request: Request) -> Reply:
        """A thought, a text, a command to run; each of them new."""
        if not request.target.startswith("/v1/messages?"):
            return by_prompt(request)
        bodies.append(request.body)
        turn = request.body.count(b'"tool_result"')
        if turn >= TURNS - 1:
            return answers.message(request, [answers.text("That is done.")])
        chance = random.Random(turn)
        command = {"command": f"echo '{answers.words(str(turn), chance.randint(5, 250))}'", "description": "Say it"}
        blocks = [answers.thinking(answers.words(f"t{turn}", 30)), answers.text(answers.words(f"x{turn}", chance.randint(5, 60)))]
        return answers.message(request, [*blocks, answers.tool_use(request, "Bash", command)])

    key = mint().text
    with (
        UpstreamThread(long_loop) as upstream,
        GatewayUnderTest(tmp_path / "gw", upstream.base_url, more=MORE, environ={"GW_TEST_KEY": key}) as gateway,
    ):
        own = {"ANTHROPIC_AUTH_TOKEN": key}
        run = new_desk.run(f"{gateway.base_url}/anthropic", "go on until it is done", own, *allow("Bash"))
        assert run.status == 0, (run.text, run.err[-2000:])
        calls = [row["call_id"] for row in gateway.session_rows(run.session, len(bodies))]
        config = load(gateway.process.config, gateway.process.environ)
        library = Library(config.content, config.storage.address)
        def arrived() -> bool:
            rows = [library.row(call) for call in calls]
            return all(row is not None and row.answer_block for row in rows)

        gateway.poll(arrived, "their content")
        restored = [raw.request for call in calls if (raw := library.raw(call)) is not None]
        kept, sent = library.stats().kept, sum(map(len, bodies))
        print(f"\n{len(bodies)} calls, {sent / 1e6:.1f} MB of bodies: {kept / 1e6:.2f} MB kept ({100 * kept / sent:.2f} %)")
        assert len(bodies) >= TURNS and sorted(restored) == sorted(bodies)
        assert kept <= ROOM * sent
        assert library.search("done", 5)
