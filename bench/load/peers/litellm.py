"""LiteLLM's proxy: one worker, its Anthropic route to an Anthropic upstream, so that nothing has to be translated.

Of what it offers, what was measured to be quickest for one call: its Rust core (LITELLM_RUST; its answers then carry
`x-litellm-rust`) takes some percent less CPU than the Python one. On Granian instead of uvicorn, its own choice, it takes a tenth
less CPU per call at 64 connections, but a call alone takes half as long again. Its OpenAI route is no quicker.
"""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from bench.load.contender import HOST, Contender, free_port
from bench.load.peers import FOLDER, MODELS

PINNED = "1.106.2"
HOME = FOLDER / "litellm"
# No look at the network for prices, no debug output; the mode in which it looks for no .env file.
ENVIRON = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_RUST": "true"}


def installed() -> str | None:
    """Its version; None if it is not there."""
    packages = sorted(HOME.glob("lib/python*/site-packages"))
    found = [one.version for one in distributions(name="litellm", path=[str(path) for path in packages])]
    return found[0] if found and (HOME / "bin" / "litellm").exists() else None


def install_commands() -> list[list[str]]:
    """A virtual environment of its own, made anew."""
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    return [[sys.executable, "-m", "venv", "--clear", str(HOME)], [*pip, f"litellm[proxy]=={PINNED}"]]


def config_text(upstream_port: int, models: Sequence[str] = MODELS) -> str:
    """Its configuration. YAML; every value is written as JSON, which is YAML."""
    lines = ["model_list:"]
    for model in models:
        lines += [
            f"  - model_name: {json.dumps(model)}",
            "    litellm_params:",
            f"      model: {json.dumps('anthropic/' + model)}",
            f"      api_base: {json.dumps(f'http://{HOST}:{upstream_port}')}",
            '      api_key: "upstream-key"',
        ]
    lines += ["litellm_settings:", "  callbacks: []", "  num_retries: 0", "  request_timeout: 600", "  set_verbose: false"]
    lines += ["general_settings:", "  disable_spend_logs: true", "  dangerously_permit_weak_or_unset_master_key: true", ""]
    return "\n".join(lines)


def contender(folder: Path, upstream_port: int) -> Contender | None:
    """None if it is not installed."""
    version = installed()
    if version is None:
        return None
    config, port = folder / "litellm.yaml", free_port()
    config.write_text(config_text(upstream_port))
    command = [str(HOME / "bin" / "litellm"), "--config", str(config), "--host", HOST, "--port", str(port), "--num_workers", "1"]
    return Contender("litellm", port, command, version=version, environ=ENVIRON, ready="/health/liveliness", folder=folder)
