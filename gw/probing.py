"""Probes: the keeper asks an upstream something that is never billed, in peace, so that no call has to find out that it is down.

Off unless `probe_s` is set. One process asks for all workers, and tells them through the places of the state file: a place
that has failed PROBES_FAILED_MAX probes in a row is left alone until one succeeds, or until the keeper has been silent for two
rounds.
A probe that succeeds ends nothing but what a probe began: what calls have found out is theirs.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import NamedTuple

from gw import clock
from gw.config.upstream_model import Upstream
from gw.credentials.credential import CredentialError
from gw.deployment import Deployment, Keyed
from gw.domain.place_entry import DOWN, PROBE_US, PROBED_US, PROBES_FAILED
from gw.ops.places import Entry, Places
from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool

log = logging.getLogger("gw.probing")

PROBES_FAILED_MAX = 2  # one may be lost on its way
PATIENCE_S = 10.0
JITTER = 0.1  # of the time between two: gateways that were started together do not ask together
SOONER = 0.25  # of that time, after the first that failed
REFUSED = frozenset({401, 403})
HEAD = b"user-agent: gw-probe\r\naccept: application/json\r\naccept-encoding: identity\r\n"
NS_PER_S = 1_000_000_000
Key = tuple[str, str]


class Probe(NamedTuple):
    """`path`: below the upstream's base URL. `signed`: with gw's credential, which has to be good for it."""

    path: bytes
    dialect: str
    signed: bool


class _Probed(NamedTuple):
    upstream: Upstream
    deployment: Deployment
    keyed: Keyed
    entry: Entry


def probe_of(upstream: Upstream, deployment: Deployment) -> Probe:
    """What is configured; else the list of models; and where there is none, whether anybody is there at all."""
    place, rules = deployment.place, deployment.rules
    dialect = rules.dialect(place, "", "models")
    if upstream.probe_path:
        return Probe(upstream.probe_path.encode(), dialect, True)
    if dialect:
        method, path = rules.request_line(place, dialect, "models", "", False, b"")
        if method == b"GET":
            return Probe(path, dialect, True)
    return Probe(b"/", "", False)


class Prober:
    """One, in the keeper."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._pool: Pool | None = None
        self._probed: dict[Key, _Probed] = {}
        self._due_ns: dict[Key, int] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._adopted: object = None

    def adopt(self, upstreams: tuple[Upstream, ...], deployments: Iterable[Deployment]) -> None:
        """A configuration in force. Costs nothing if it is the same as before."""
        if upstreams is self._adopted:
            return
        self._adopted = upstreams
        before, self._probed = self._probed, {}
        named = {one.name: one for one in deployments}
        for upstream in upstreams:
            if upstream.probe_s and (deployment := named.get(upstream.name)) is not None:
                for keyed in deployment.accounts:
                    entry = self._places.entry(upstream.name, keyed.name)
                    if entry is not None:
                        self._probed[upstream.name, keyed.name] = _Probed(upstream, deployment, keyed, entry)
        for key, one in before.items():
            if key not in self._probed:
                one.entry[DOWN] = one.entry[PROBED_US] = one.entry[PROBES_FAILED] = 0
        now_ns = clock.mono_ns()
        self._due_ns = {key: self._due_ns.get(key, now_ns) for key in self._probed}

    def look(self) -> None:
        """Begins what is due."""
        now_ns = clock.mono_ns()
        for key, due_ns in self._due_ns.items():
            if due_ns <= now_ns and key not in self._running:
                one = self._probed[key]
                task = asyncio.create_task(self._run(key, one), name=f"probe-{key[0]}")
                self._running[key] = task

    async def close(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        if self._pool is not None:
            await self._pool.close()

    async def _run(self, key: Key, one: _Probed) -> None:
        try:
            if self._pool is None:
                self._pool = Pool()
            began_ns = clock.mono_ns()
            trouble = await ask(self._pool, one.upstream, one.deployment, one.keyed)
            if self._probed.get(key) is one:
                self._heard(one, trouble, clock.mono_ns() - began_ns)
                wait_s = one.upstream.probe_s * (SOONER if one.entry[PROBES_FAILED] == 1 else 1)
                self._due_ns[key] = clock.mono_ns() + int(wait_s * random.uniform(1 - JITTER, 1 + JITTER) * NS_PER_S)
        finally:
            del self._running[key]

    def _heard(self, one: _Probed, trouble: str, took_ns: int) -> None:
        entry, name = one.entry, "/".join(filter(None, (one.upstream.name, one.keyed.name)))
        failed = entry[PROBES_FAILED] + 1 if trouble else 0
        if failed == PROBES_FAILED_MAX:
            log.warning('"%s" does not answer its probes and is left alone: %s', name, trouble)
        elif not failed and entry[PROBES_FAILED] >= PROBES_FAILED_MAX:
            log.warning('"%s" answers its probes again', name)
        entry[PROBES_FAILED] = failed
        entry[PROBE_US] = took_ns // 1000
        entry[PROBED_US] = clock.wall_us()
        until_ns = clock.mono_ns() + int((2 * one.upstream.probe_s + PATIENCE_S) * NS_PER_S)
        entry[DOWN] = until_ns if failed >= PROBES_FAILED_MAX else 0


async def ask(pool: Pool, upstream: Upstream, deployment: Deployment, keyed: Keyed) -> str:
    """Once: why it is not to be used; "" if it is."""
    probe = probe_of(upstream, deployment)
    try:
        async with asyncio.timeout(PATIENCE_S):
            head = HEAD + deployment.lines(probe.dialect, HEAD)
            if probe.signed:
                head += await _authorised(keyed, deployment, probe.path, head)
            response = await pool.request(deployment.target, b"GET", probe.path, head, b"")
            response.abort()
    except UpstreamError as error:
        return f"{error.kind}: {error.detail}"
    except CredentialError as error:
        return error.message
    except TimeoutError:
        return f"no answer within {PATIENCE_S:.0f} s"
    except ValueError as error:
        return f"it cannot be asked: {error}"
    refused = probe.signed and response.status in REFUSED
    return f"it answers {response.status}" if refused or response.status >= 500 else ""


async def _authorised(keyed: Keyed, deployment: Deployment, path: bytes, head: bytes) -> bytes:
    """The lines that authorise the probe. Raises CredentialError."""
    credential = keyed.credential
    if not credential.usable:
        await credential.ready()
    lines = credential.head()
    if lines is not None:
        return lines
    return credential.sign(b"GET", deployment.base_url.rstrip("/") + path.decode("latin-1"), head, b"")
