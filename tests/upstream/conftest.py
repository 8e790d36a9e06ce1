"""Every test of the client runs on uvloop and on asyncio's own loop, and ends with a look for leaks."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from shutil import which
from typing import NamedTuple

import pytest
import uvloop

from gw.upstream.pool import Pool
from gw.upstream.target import Target
from tests.requires import need
from tests.upstream.server import Script, Upstream

Start = Callable[..., Awaitable[Upstream]]


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    """Afterwards nothing may be open but idle connections, and after close nothing at all."""
    pool = Pool()
    yield pool
    for lane in pool.stats():
        assert (lane.open, lane.waiting) == (lane.idle, 0), "a connection leaked"
    await pool.close()
    assert all(lane.open == lane.idle == 0 for lane in pool.stats())


@pytest.fixture
async def start(pool: Pool) -> AsyncIterator[Start]:
    """`await start(script)` -> a listening Upstream. Afterwards its open connections are the pool's idle ones."""
    started: list[Upstream] = []

    async def start_one(script: Script, **options) -> Upstream:
        upstream = Upstream(script)
        await upstream.listen(**options)
        started.append(upstream)
        return upstream

    yield start_one
    try:
        for upstream in started:
            if not upstream.proxied:
                await upstream.settle(sum(lane.idle for lane in pool.stats() if lane.port == upstream.port))
    finally:
        for upstream in started:
            await upstream.close()


class Certificates(NamedTuple):
    """Paths of PEM files: an authority, and certificates of its own for localhost + 127.0.0.1 and for another host."""

    ca: Path
    here: tuple[Path, Path]
    elsewhere: tuple[Path, Path]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    need("openssl", which("openssl") is not None, "apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    signing = ("-addext", "keyUsage=critical,keyCertSign")  # Python 3.13 refuses an authority that does not say so
    openssl("req", "-x509", *key, *signing, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    for name, alternatives in (("here", "DNS:localhost,IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternatives}\n")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem"),
        )
    here, elsewhere = ((folder / f"{name}.pem", folder / f"{name}.key") for name in ("here", "elsewhere"))
    return Certificates(folder / "ca.pem", here, elsewhere)


@pytest.fixture
def target_of() -> Callable[..., Target]:
    """A target for a started upstream, with timeouts that no passing test reaches."""

    def build(upstream: Upstream, **options) -> Target:
        times = {"connect_timeout_s": 5.0, "first_byte_timeout_s": 20.0, "idle_timeout_s": 20.0, "total_timeout_s": 60.0}
        return Target.from_url(upstream.url, **(times | options))

    return build
