"""`gw check` says of each upstream what it speaks, whether its credentials are there, and what would have no price."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from gw.cli_check import check
from gw.demo import answers
from gw.demo.exchange import Reply, Request
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread

CONFIG = """
[server]
state_dir = "state"
[[upstream]]
name = "main"
base_url = "{main}"
api_key = "env:GW_TEST_MAIN"
[[upstream]]
name = "groq"
provider = "groq"
base_url = "http://127.0.0.1:9"
models = ["groq/*", "llama-9"]
[[upstream.credential]]
name = "a"
api_key = "env:GW_TEST_A"
[[upstream.credential]]
name = "b"
api_key = "env:GW_TEST_B"
[[upstream]]
name = "local"
provider = "ollama"
base_url = "http://127.0.0.1:9"
models = ["qwen3"]
[[upstream]]
name = "vertex"
provider = "vertex"
project = "p"
base_url = "http://127.0.0.1:9"
models = ["gemini-*"]
[[upstream.credential]]
name = "robot"
google_credentials_file = "{folder}/robot.json"
[[route]]
model = "fast"
candidates = [{{ upstream = "groq", model = "llama-3.3-70b-versatile" }}, {{ upstream = "main", model = "claude-haiku-5-5" }}]
"""


def checked(folder: Path, main: str, *arguments: str) -> Result:
    (folder / "robot.json").write_text('{"type": "no such"}')
    path = folder / "config.toml"
    path.write_text(CONFIG.format(main=main, folder=folder))
    environ = {"GW_TEST_MAIN": "sk-main-hidden", "GW_TEST_A": "gsk-a-hidden", "GW_TEST_B": ""}
    found = CliRunner().invoke(check, ["--config", str(path), *arguments], env=environ)
    assert found.exit_code == 0, found.output
    assert "hidden" not in found.stdout + found.stderr
    return found


def test_each_upstream_has_a_line_and_what_is_wrong_with_it_others(tmp_path: Path) -> None:
    lines = checked(tmp_path, "http://127.0.0.1:9").stderr.splitlines()
    at = lines.index('upstream main: anthropic at 127.0.0.1:9; speaks anthropic; env:GW_TEST_MAIN set; for "fast"')
    assert lines[at + 1 : at + 5] == [
        'upstream groq: groq at 127.0.0.1:9; speaks chat, responses; a (env:GW_TEST_A) set; b (env:GW_TEST_B) missing; '
        'for "fast"',
        '  no price for "llama-9": its calls follow [pricing] unknown_model',
        "upstream local: ollama at 127.0.0.1:9; speaks chat, responses; needs no credential",
        f"upstream vertex: vertex at 127.0.0.1:9; speaks gemini; robot (Google: {tmp_path}/robot.json) (not fetched)",
    ]


def test_reach_fetches_credentials_and_asks_each_address(tmp_path: Path) -> None:
    with UpstreamThread(by_prompt) as upstream:
        found = checked(tmp_path, upstream.base_url, "--reach").stderr
    main = next(line for line in found.splitlines() if line.startswith("upstream main"))
    assert "env:GW_TEST_MAIN good" in main and "; answers " in main
    assert "  does not answer: 127.0.0.1:9" in found
    assert "its type is 'no such'" in found


def test_programs_get_the_same(tmp_path: Path) -> None:
    upstreams = json.loads(checked(tmp_path, "http://127.0.0.1:9", "--json").stdout)["upstreams"]
    groq = next(one for one in upstreams if one["name"] == "groq")
    assert groq["unpriced"] == ["llama-9"] and groq["routes"] == ["fast"]
    assert [(one["name"], one["state"]) for one in groq["credentials"]] == [("a", "set"), ("b", "missing")]


def test_a_probe_is_shown_and_with_reach_it_is_made(tmp_path: Path) -> None:
    def refused(request: Request) -> Reply:
        return answers.error(401 if request.path == "/v1/models" else 404, "authentication_error", "of the test")

    path = tmp_path / "config.toml"
    with UpstreamThread(refused) as upstream:
        path.write_text(
            '[server]\nstate_dir = "state"\n[[upstream]]\nname = "main"\napi_key = "env:GW_TEST_MAIN"\nprobe_s = 30\n'
            f'base_url = "{upstream.base_url}"\n'
        )
        environ = {"GW_TEST_MAIN": "sk-main-hidden"}
        lines = CliRunner().invoke(check, ["--config", str(path)], env=environ).stderr.splitlines()
        assert any("; probed by GET /v1/models every 30 s" in line for line in lines), lines
        lines = CliRunner().invoke(check, ["--config", str(path), "--reach"], env=environ).stderr.splitlines()
        assert "  env:GW_TEST_MAIN: its probe fails: it answers 401" in lines, lines
