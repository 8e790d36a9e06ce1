"""What is compared is set up as the report says: gw with all of it on, the bare proxy on the same server, peers at their best."""

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from bench.load import contenders
from bench.load.contender import (
    Contender,
    ContenderFailed,
    children,
    command_of,
    cores,
    cpu_ns,
    environment,
    free_port,
    move,
    program,
)
from bench.load.peers import litellm, portkey
from gw.config.load import load
from gw.config.model import Config
from gw.demo.scripts import by_prompt
from gw.demo.upstream import UpstreamThread
from gw.domain.key import mint
from gw.ops.state import StateFile
from gw.serve import Supervisor
from tests.requires import need

BODY = json.dumps({"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]})


@pytest.fixture(scope="module")
def upstream() -> Iterator[UpstreamThread]:
    with UpstreamThread(by_prompt) as fake:
        yield fake


def posted(contender: Contender) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", contender.port, timeout=20)
    try:
        headers = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "own", **contender.headers}
        connection.request("POST", contender.path, BODY, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# configuration


def test_gw_is_configured_with_everything_on(tmp_path: Path) -> None:
    path = tmp_path / "gw.toml"
    path.write_text(contenders.gateway_config(tmp_path, 8080, 9090, 2))
    config = load(path, {"BENCH_KEY": mint().text, "BENCH_UPSTREAM_KEY": "x"})
    scopes = [(one.key, one.team, one.customer, one.upstream) for one in config.budget]
    assert len(config.budget) == 8 and len(set(scopes)) == 4
    assert {one.window for one in config.budget} == {"day", "month"} and {one.mode for one in config.budget} == {"hard"}
    assert [(bool(one.requests), bool(one.tokens)) for one in config.limit] == [(True, False), (False, True)]
    assert not config.auth.passthrough and config.server.workers == 2
    assert "gwk_" not in path.read_text()


def test_the_bare_proxy_has_gws_own_server_settings() -> None:
    """Else the ratio between them would measure settings."""
    supervisor = cast(Any, Supervisor(Config(), None, cast(StateFile, None)))
    flags = contenders.GRANIAN
    assert int(flags["--backlog"]) == supervisor.backlog
    assert int(flags["--backpressure"]) == supervisor.backpressure == Config().server.connections_max
    assert int(flags["--http1-buffer-size"]) == supervisor.http1_settings.max_buffer_size
    assert int(flags["--http1-header-read-timeout"]) == supervisor.http1_settings.header_read_timeout
    assert (flags["--loop"], flags["--http"], flags["--interface"]) == ("uvloop", "1", "asgi")
    command = contenders.bare(1).command
    assert "--no-ws" in command and command[command.index("--workers") + 1] == "1"


def test_nginx_takes_its_configuration_and_passes_everything_on_as_it_comes(tmp_path: Path) -> None:
    text = contenders.nginx_config(tmp_path, free_port(), free_port())
    assert "proxy_buffering off" in text and "proxy_request_buffering off" in text and "client_max_body_size 0" in text
    need("nginx", bool(shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")), "apt-get install nginx")
    (tmp_path / "nginx.conf").write_text(text)
    subprocess.run([program("nginx", ""), "-t", "-q", "-c", str(tmp_path / "nginx.conf")], check=True)


@pytest.mark.parametrize("model", ["claude-opus-5-5", 'a"b', "a\nmaster_key: x", "a: b # c", "'"])
def test_litellm_is_told_where_to_call_whatever_a_model_is_called(model: str) -> None:
    lines = litellm.config_text(4321, [model]).splitlines()
    values = {key.strip(" -"): value for key, _, value in (line.partition(": ") for line in lines) if value}
    assert json.loads(values["model_name"]) == model
    assert json.loads(values["model"]) == f"anthropic/{model}"
    assert json.loads(values["api_base"]) == "http://127.0.0.1:4321"
    assert not [line for line in lines if line.startswith("master_key")]


def test_portkey_is_told_where_to_call_by_the_headers_of_each_request() -> None:
    headers = portkey.headers(4321)
    assert headers["x-portkey-provider"] == "anthropic" and headers["x-portkey-custom-host"] == "http://127.0.0.1:4321/v1"


def test_portkey_is_installed_with_the_server_that_can_stream() -> None:
    manifest = json.loads(portkey.manifest())
    assert manifest["dependencies"]["@portkey-ai/gateway"] == portkey.PINNED
    assert manifest["overrides"]["@hono/node-server"] == manifest["dependencies"]["@hono/node-server"] == portkey.SERVER_PINNED


def test_peers_that_are_not_installed_are_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "HOME", tmp_path / "no")
    monkeypatch.setattr(portkey, "PACKAGE", tmp_path / "no")
    assert contenders.available(["gw", "litellm", "bare", "portkey"]) == ["gw", "bare"]
    assert contenders.absent(["litellm"]) == {"litellm": "not installed: python -m bench.load.peers install litellm"}
    assert contenders.make("litellm", tmp_path, 1) is None and contenders.make("portkey", tmp_path, 1) is None


def test_a_peer_without_node_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package.json").write_text('{"version": "1.2.3"}')
    monkeypatch.setattr(portkey, "PACKAGE", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/node")
    assert portkey.installed() == "1.2.3"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert portkey.installed() is None


def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="ngnix"):
        contenders.available(["ngnix"])


# processes


def test_a_contender_inherits_no_settings_of_another_gateway_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GW_SERVER_PORT", "https_proxy", "HTTP_PROXY", "GRANIAN_WORKERS"):
        monkeypatch.setenv(name, "1")
    found = environment({"BENCH_KEY": "k"})
    assert not {"GW_SERVER_PORT", "https_proxy", "HTTP_PROXY", "GRANIAN_WORKERS"} & found.keys()
    assert found["BENCH_KEY"] == "k" and found["PATH"] == os.environ["PATH"]


def test_a_contender_that_ends_at_once_is_named_with_its_last_words() -> None:
    ends = Contender("short", free_port(), [sys.executable, "-c", "raise SystemExit('no such thing')"], version="1")
    with pytest.raises(ContenderFailed, match=r"short ended with 1:\nno such thing"), ends:
        pytest.fail("it is not ready")
    assert ends.pids() == [] and ends.said() == ""


def test_a_contender_that_never_answers_is_an_error_and_can_be_stopped() -> None:
    silent = Contender("silent", free_port(), [sys.executable, "-c", "import signal; signal.pause()"], version="1")
    silent.start()
    try:
        (pid,) = silent.pids()
        assert pid in children(os.getpid())
        with pytest.raises(ContenderFailed, match="silent did not answer in 0 s"):
            silent.wait(0.2)
    finally:
        silent.stop()
    silent.stop()
    assert command_of(pid) == "" and silent.pids() == []


def test_processes_are_moved_whole_and_one_that_has_ended_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        move(child.pid, cores()[1])
        assert os.sched_getaffinity(child.pid) == {cores()[1]}
        assert cpu_ns([child.pid]) > 0
        child.communicate(b"\n")
    move(child.pid, cores()[0])
    assert cpu_ns([child.pid]) == 0


def test_the_upstream_itself_runs_already_and_is_no_contender() -> None:
    one = contenders.direct(4321)
    one.start()
    one.stop()
    assert (one.port, one.pids(), one.headers) == (4321, [], {})


@pytest.mark.parametrize("client", ["own", "gw"])
def test_the_bare_proxy_passes_calls_on(upstream: UpstreamThread, client: Any) -> None:
    with contenders.bare(upstream.port, client) as bare:
        status, body = posted(bare)
        assert status == 200 and json.loads(body)["usage"]["output_tokens"] > 0
        (worker,) = bare.pids()
        assert os.sched_getaffinity(worker) == {cores()[0]}
        assert bare.settle()


def test_gw_serves_as_it_is_measured(tmp_path: Path, upstream: UpstreamThread) -> None:
    with contenders.gateway(tmp_path, upstream.port) as gateway:
        status, body = posted(gateway)
        assert status == 200, body
        (worker,) = gateway.pids()
        assert os.sched_getaffinity(worker) == {cores()[0]}
        assert os.sched_getaffinity(gateway.keeper()) == {cores()[1]}
        assert gateway.keeper() not in gateway.pids()
        assert gateway.config.exists() and gateway.state_dir.is_dir() and gateway.ledger.exists()
        assert gateway.key not in gateway.config.read_text()
