"""Which duties of telemetry a configuration asks for, and that nothing heavy is loaded to say so."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gw.telemetry
from gw.config.load import parse
from gw.config.model import Config
from gw.courier_telemetry import ExtraMissing, appoint
from gw.ledger.sqlite import SqliteDatabase
from gw.telemetry.datadog import Settings, tell_spans

HEAVY = ("httpx", "opentelemetry", "google.protobuf")


def config(text: str, **environ: str) -> Config:
    return parse(text, "config.toml", Path("."), environ).config


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("[otel]\npropagate = true\n", []),
        ('[otel]\nendpoint = "http://127.0.0.1:4318"\n', ["otel", "otel-metrics"]),
        ('[otel]\nendpoint = "http://127.0.0.1:4318"\ntraces = false\nlogs = false\n', ["otel-metrics"]),
        ('[otel]\nendpoint = "http://127.0.0.1:4318"\nmetrics = false\nlogs = false\n', ["otel"]),
        ('[datadog]\napi_key = "env:DD"\n', ["datadog"]),
        ('[datadog]\napi_key = "env:NOT_SET"\n', ["datadog"]),
        ('[datadog]\nstatsd_host = "127.0.0.1"\n', ["datadog-statsd"]),
        ("[claude_telemetry]\nenabled = true\n", ["claude-telemetry"]),
        (
            '[claude_telemetry]\nenabled = true\nforward_url = "http://127.0.0.1:4318"\n',
            ["claude-telemetry", "claude-telemetry-forward"],
        ),
    ],
)
def test_duties_are_what_is_asked_for(text: str, names: list[str]) -> None:
    assert [duty.name for duty in appoint(config(text, DD="key"))] == names


def test_a_duty_runs_on_while_what_it_is_made_of_stays() -> None:
    text = '[otel]\nendpoint = "http://127.0.0.1:4318"\nheaders = { authorization = "env:TOKEN" }\n'
    one, same, other = (next(iter(appoint(config(text, TOKEN=token)))) for token in ("a", "a", "b"))
    assert one.settings == same.settings != other.settings


def test_nothing_heavy_is_loaded_to_say_so() -> None:
    code = f"import sys, gw.courier_telemetry, gw.intake\nassert not [name for name in {HEAVY!r} if name in sys.modules]"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gw.telemetry.otel", None)
    monkeypatch.delattr(gw.telemetry, "otel", raising=False)  # a test before may have loaded it
    desk: Any = None
    for duty in appoint(config('[otel]\nendpoint = "http://127.0.0.1:4318"\n')):
        with pytest.raises(ExtraMissing, match=r"pip install 'gw\[otel\]'"):
            await duty.run(desk)


async def test_a_key_that_is_not_set_is_named(tmp_path: Path) -> None:
    datadog = config('[datadog]\napi_key = "env:NOT_SET"\n').datadog
    with pytest.raises(OSError, match="NOT_SET"):
        await tell_spans(Settings(datadog, {}), SqliteDatabase(tmp_path / "gw.db"))
