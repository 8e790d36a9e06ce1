"""LiteLLM's proxy: one worker, its Anthropic route to an Anthropic upstream, so that nothing has to be translated."""

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
ENVIRON = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}


def installed() -> str | None:
    """Its version; None if it is not there."""
    packages = sorted(HOME.glob("lib/python*/site-packages"))
    found = [one.version for one in distributions(name="litellm", path=[str(path) for path in packages])]
    return found[0] if found and (HOME / "bin" / "litellm").exists() else None


def install_commands() -> list[list[str]]:
    """A virtual environment of its own, made anew."""
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    return [[sys.executable, "-m", "venv", "--clear", str(HOME)], [*pip, f"litellm[proxy]=={PINNED}"]]


def config_text(upstream_port: int, models: Sequence[str] = MODELS, *, rust: bool = True) -> str:
    """Its configuration. YAML; every value is written as JSON, which is YAML. `rust`: its own faster core, where it has one."""
    lines = ["model_list:"]
    for model in models:
        lines += [
            f"  - model_name: {json.dumps(model)}",
            "    litellm_params:",
            f"      model: {json.dumps('anthropic/' + model)}",
            f"      api_base: {json.dumps(f'http://{HOST}:{upstream_port}')}",
            '      api_key: "upstream-key"',
            f"      rust: {json.dumps(rust)}",
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
