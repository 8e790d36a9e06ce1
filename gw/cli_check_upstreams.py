"""What `gw check` says of each upstream: its credentials, what leads to it, and what it serves without a price."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from gw import clock
from gw.config.model import Config, Upstream
from gw.config.routing_model import RouteCandidate
from gw.config.upstream_facts import NOT_NEEDED, credentials_of, dialects_of
from gw.credentials.credential import CredentialError
from gw.deployment import Deployment, Keyed
from gw.domain.scope import is_pattern
from gw.prices import book_of
from gw.pricing.book import PriceBook
from gw.pricing.sync import best_file
from gw.probing import ask, probe_of
from gw.upstream.errors import UpstreamError
from gw.upstream.pool import Pool
from gw.upstream.target import Target

CREDENTIAL_S = 10  # a cloud's own tools look in several places, some of them by network
ANSWER_S = 5
UNKNOWN = "not fetched"  # of what only the cloud can say
NS_PER_MS = 1_000_000
USER_AGENT = b"user-agent: gw-check\r\n"


class CredentialSaid(Struct, frozen=True):
    name: str
    source: str
    state: str  # set | missing | not fetched | good | why it cannot be had

    @property
    def is_bad(self) -> bool:
        return self.state not in ("set", UNKNOWN, "good")


class Said(Struct, frozen=True):
    """Of one upstream. `answers`: "" if nobody asked."""

    name: str
    provider: str
    host: str
    dialects: tuple[str, ...]
    credentials: tuple[CredentialSaid, ...]
    routes: tuple[str, ...]  # that lead to it
    unpriced: tuple[str, ...]  # names of models that the configuration says and no price is known for
    answers: str = ""
    reached: bool = True
    probe: str = ""  # what is asked for, and how often; "" if nothing is

    @property
    def is_bad(self) -> bool:
        return not self.reached or bool(self.unpriced) or any(one.is_bad for one in self.credentials)


def said_of(config: Config, *, reach: bool) -> list[Said]:
    """With `reach`, each credential is fetched and each address asked for an answer, all at once. Raises ValueError, OSError."""
    book = book_of(config.pricing, best_file(Path(config.server.state_dir)))
    deployments = [Deployment(one) for one in config.upstream]
    known = [_known(config, book, *one) for one in zip(config.upstream, deployments, strict=True)]
    return asyncio.run(_reached(known, config.upstream, deployments)) if reach else known


def lines_of(one: Said) -> list[str]:
    """`groq: groq at api.groq.com; speaks chat; env:GROQ_API_KEY set; for "fast"; answers 404 in 31 ms`; then what is wrong."""
    parts = [f"{one.provider} at {one.host}", f"speaks {', '.join(one.dialects)}"]
    parts += map(_stands, one.credentials)
    if one.routes:
        parts.append("for " + ", ".join(f'"{name}"' for name in one.routes))
    if one.probe:
        parts.append(f"probed by {one.probe}")
    if one.reached and one.answers:
        parts.append(one.answers)
    wrong = [f"{_of(each)}: {each.state}" for each in one.credentials if each.is_bad and each.state != "missing"]
    wrong += [f'no price for "{name}": its calls follow [pricing] unknown_model' for name in one.unpriced]
    wrong += [] if one.reached else [one.answers]
    return [f"{one.name}: {'; '.join(parts)}", *(f"  {line}" for line in wrong)]


def _stands(one: CredentialSaid) -> str:
    if one.source == NOT_NEEDED:
        return "needs no credential"
    state = "missing" if one.is_bad else one.state
    return f"{_of(one)} ({state})" if state == UNKNOWN else f"{_of(one)} {state}"


def _of(one: CredentialSaid) -> str:
    return f"{one.name} ({one.source})" if one.name else one.source


def _known(config: Config, book: PriceBook, upstream: Upstream, deployment: Deployment) -> Said:
    states = {True: "set", False: "missing", None: UNKNOWN}
    return Said(
        name=upstream.name,
        provider=upstream.provider,
        host=urlsplit(upstream.address).netloc.rpartition("@")[2],
        dialects=dialects_of(upstream),
        credentials=tuple(CredentialSaid(one.name, one.source, states[one.there]) for one in credentials_of(upstream)),
        routes=tuple(route.model for route in config.route if any(_leads(one, upstream) for one in route.candidates)),
        unpriced=tuple(_unpriced(book, upstream, deployment, _named(config, upstream))),
        probe=f"GET {probe_of(upstream, deployment).path.decode()} every {upstream.probe_s:g} s" if upstream.probe_s else "",
    )


def _leads(candidate: RouteCandidate, upstream: Upstream) -> bool:
    return candidate.upstream == upstream.name


def _named(config: Config, upstream: Upstream) -> Iterator[str]:
    """Models that the configuration names in full for this upstream, as clients or routes do."""
    yield from upstream.models
    yield from upstream.model_map
    for route in config.route:
        yield from (one.model or route.model for one in route.candidates if _leads(one, upstream))
    for rule in config.rule:
        yield from (one.model for one in rule.do.candidates if _leads(one, upstream) and one.model)


def _unpriced(book: PriceBook, upstream: Upstream, deployment: Deployment, names: Iterable[str]) -> Iterator[str]:
    now_us = clock.wall_us()
    for name in dict.fromkeys(names):
        sent = deployment.place.model_behind(deployment.model_sent(name))
        if is_pattern(name) or is_pattern(sent):
            continue
        if not book.knows(provider=upstream.provider, upstream=upstream.name, region=upstream.region, model=sent, at_us=now_us):
            yield sent


# --- by network -------------------------------------------------------------------------------------------------------


async def _reached(known: list[Said], upstreams: Iterable[Upstream], deployments: Iterable[Deployment]) -> list[Said]:
    pool = Pool()
    try:
        asked = (_reach(pool, *one) for one in zip(known, upstreams, deployments, strict=True))
        return list(await asyncio.gather(*asked))
    finally:
        await pool.close()


async def _reach(pool: Pool, said: Said, upstream: Upstream, deployment: Deployment) -> Said:
    states = await asyncio.gather(*(_ready(pool, upstream, deployment, one) for one in deployment.accounts))
    credentials = tuple(
        CredentialSaid(one.name, one.source, state) for one, state in zip(said.credentials, states, strict=True)
    )
    answers, reached = await _answer(pool, upstream)
    return replace(said, credentials=credentials, answers=answers, reached=reached)


async def _ready(pool: Pool, upstream: Upstream, deployment: Deployment, keyed: Keyed) -> str:
    """Whether it can be had and, where there are probes, whether it is good for one."""
    try:
        async with asyncio.timeout(CREDENTIAL_S):
            await keyed.credential.ready()
    except CredentialError as error:
        return error.message
    except TimeoutError:
        return f"cannot be had within {CREDENTIAL_S} s"
    trouble = await ask(pool, upstream, deployment, keyed) if upstream.probe_s else ""
    return f"its probe fails: {trouble}" if trouble else "good"


async def _answer(pool: Pool, upstream: Upstream) -> tuple[str, bool]:
    """Without any credential, so whatever it says, it is there: (words, whether it answers)."""
    target = Target.from_url(
        upstream.address,
        connect_timeout_s=min(ANSWER_S, upstream.connect_timeout_s),
        first_byte_timeout_s=ANSWER_S,
        total_timeout_s=2 * ANSWER_S,
        ca_file=upstream.ca_file or None,
        proxy=upstream.proxy.reveal() if upstream.proxy else None,
    )
    begun_ns = clock.mono_ns()
    try:
        response = await pool.request(target, b"GET", b"/", USER_AGENT, b"")
    except UpstreamError as error:
        return f"does not answer: {error.detail}", False
    response.abort()
    return f"answers {response.status} in {(clock.mono_ns() - begun_ns) // NS_PER_MS} ms", True
