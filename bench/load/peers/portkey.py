"""Portkey's gateway on Node: one process, its Anthropic route to an Anthropic upstream, so that nothing has to be translated.

It keeps nothing of its own: which provider and which host it calls stands in the headers of each request.
"""

import json
import shutil
from pathlib import Path

from bench.load.contender import HOST, Contender, free_port
from bench.load.peers import FOLDER

PINNED = "1.15.2"
SERVER_PINNED = "1.14.1"  # of @hono/node-server: with a later one its streams are answered with 500 (its issue 1389)
HOME = FOLDER / "portkey"
PACKAGE = HOME / "node_modules" / "@portkey-ai" / "gateway"


def installed() -> str | None:
    """Its version; None if it, or Node, is not there."""
    try:
        described = json.loads((PACKAGE / "package.json").read_bytes())
    except OSError:
        return None
    return str(described["version"]) if shutil.which("node") else None


def manifest() -> str:
    """Its package.json: exact versions, the server's also where the gateway asks for a newer one."""
    wanted = {"@portkey-ai/gateway": PINNED, "@hono/node-server": SERVER_PINNED}
    return json.dumps({"private": True, "dependencies": wanted, "overrides": {"@hono/node-server": SERVER_PINNED}}, indent=1)


def install_commands() -> list[list[str]]:
    """Writes the manifest; what is to be run then."""
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "package.json").write_text(manifest() + "\n")
    return [["npm", "install", "--no-audit", "--no-fund", "--prefix", str(HOME)]]


def headers(upstream_port: int) -> dict[str, str]:
    """What tells it where to call; its own host check lets loopback pass."""
    return {
        "x-portkey-provider": "anthropic",
        "x-portkey-custom-host": f"http://{HOST}:{upstream_port}/v1",
        "x-api-key": "upstream-key",
    }


def contender(folder: Path, upstream_port: int) -> Contender | None:
    """None if it is not installed."""
    version = installed()
    if version is None:
        return None
    port = free_port()
    command = ["node", str(PACKAGE / "build" / "start-server.js"), f"--port={port}", "--headless"]
    environ = {"NODE_ENV": "production"}
    return Contender(
        "portkey", port, command, version=version, environ=environ, headers=headers(upstream_port), ready="/", folder=folder
    )
