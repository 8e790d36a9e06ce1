"""The real Claude Code reports to gw, in both encodings: what it did stands beside what its calls cost, joined by their ids."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import scene_of
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from tests.e2e.conftest import House
from tests.support.claude import Desk, allow
from tests.support.databases import query
from tests.support.gateway import GatewayUnderTest

COMMIT = "git add -A && git -c user.email=a@b -c user.name=a commit -q -m first && echo done"
ON = """
[[team]]
name = "platform"
[[key]]
name = "ada"
team = "platform"
secret = "env:GW_TEST_KEY_ADA"
[claude_telemetry]
enabled = true
[otel]
propagate = true
"""


def work(request: Request) -> Reply:
    """Writes a file of three lines, commits it, says so."""
    scene = scene_of(request)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("Write", {"file_path": scene.argument, "content": "x = 1\ny = 2\nz = 3\n"}),
        ("Bash", {"command": COMMIT, "description": "Commit"}),
    ]
    if scene.results >= len(calls):
        return answers.message(request, [answers.text("done")])
    name, arguments = calls[scene.results]
    return answers.message(request, [answers.text("I will."), answers.tool_use(request, name, arguments)])


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    key = mint().text
    with (
        UpstreamThread(work) as upstream,
        GatewayUnderTest(
            tmp_path_factory.mktemp("office"), upstream.base_url, more=ON, environ={"GW_TEST_KEY_ADA": key}
        ) as gateway,
    ):
        yield House(gateway, upstream, {"ada": key})


def reporting(office: House, protocol: str) -> dict[str, str]:
    """What docs/telemetry.md tells a developer to set, with short intervals."""
    return {
        "ANTHROPIC_AUTH_TOKEN": office.keys["ada"],
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": office.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {office.keys['ada']}",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_LOGS_EXPORT_INTERVAL": "500",
        "OTEL_LOG_USER_PROMPTS": "1",
        "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
        "OTEL_TRACES_EXPORTER": "otlp",
        "CLAUDE_CODE_PROPAGATE_TRACEPARENT": "1",
    }


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf"])
def test_what_it_did_stands_beside_what_it_cost(office: House, new_desk: Desk, protocol: str) -> None:
    subprocess.run(["git", "init", "-q"], cwd=new_desk.work, check=True)
    prompt = f"a secret plan [play:work {new_desk.work / 'a.py'}]"
    run = new_desk.run(office.url, prompt, reporting(office, protocol), *allow("Bash", "Write"))
    assert run.status == 0, run.err
    rows = office.gateway.session_rows(run.session, 3)

    database = office.gateway.database

    def done() -> bool:
        """Of what it counts and of what it did, which come by themselves, the last has come."""
        sums = "SELECT SUM(commits), SUM(active_cli_ms) FROM telemetry_session WHERE session_id = ?"
        found = query(database, sums, (run.session,))
        events = "SELECT COUNT(*) FROM telemetry_event WHERE session_id = ? AND name = 'api_request'"
        return bool(found and found[0][0] and found[0][1]) and query(database, events, (run.session,)) == [(len(rows),)]

    office.gateway.poll(done, "its reports")
    counted = ("sessions", "lines_added", "lines_removed", "commits", "edits_accepted", "prompts")
    sums = ", ".join(f"SUM({name})" for name in counted)
    found = query(database, f"SELECT {sums} FROM telemetry_session WHERE session_id = ? AND key_name = 'ada'", (run.session,))
    assert found == [(1, 4, 0, 1, 1, 1)]  # it counts what follows the last line end as a line
    joined = "SELECT e.request_id FROM telemetry_event e JOIN call c ON c.call_id = e.request_id"
    found = query(database, f"{joined} WHERE e.session_id = ? AND e.name = 'api_request'", (run.session,))
    assert {one for (one,) in found} == {row["call_id"] for row in rows}
    used = "SELECT tool, calls, failures, accepted FROM telemetry_tool WHERE session_id = ? ORDER BY tool"
    assert query(database, used, (run.session,)) == [("Bash", 1, 0, 1), ("Write", 1, 0, 1)]
    assert "a secret plan" not in repr(query(database, "SELECT * FROM telemetry_event WHERE session_id = ?", (run.session,)))
    assert len({row["trace_id"] for row in rows}) == 1 and all(row["trace_id"] and row["trace_flags"] == 1 for row in rows)
    lines = office.upstream.invoice.lines(session=run.session)
    assert [line.headers["traceparent"][3:35] for line in lines] == [row["trace_id"] for row in rows]
