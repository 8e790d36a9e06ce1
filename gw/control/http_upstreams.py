"""GET /api/upstreams: how each upstream does and has done, what models were called, and what prices them, in one request."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from gw import clock
from gw.config.model import Config, Upstream
from gw.config.upstream_facts import CredentialFact, credentials_of, dialects_of
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_shapes import Moment
from gw.control.http_upstreams_prices import CardView, OverrideView, card_of, override_view, overrides_on
from gw.control.http_usage import Values, ledger_of, moment_in, read
from gw.domain.account import matches_any
from gw.ledger.request_attempts import Failures
from gw.ledger.rollup_shape import HOUR_US
from gw.ledger.usage_measures import shown
from gw.ledger.usage_time import Bucket, bounds_of, whole_hours
from gw.ledger.usage_upstreams import LATELY_US, OF_MODEL, OF_UPSTREAM, Called, Done, Figures, look, none
from gw.ops.places import Entry, Standing

ASKED = ("from", "to", "tz")
HOURS_DRAWN = 8 * 24  # a longer time is cut into days
MODELS_MAX = 200  # clients choose their names
CALLS_MIN = 5  # of fewer no share is judged
TROUBLED, FAILING = 0.05, 0.5
NS_PER_S = 1_000_000_000
UNKNOWN = Standing(0, 0, 0, 0, 0, 0)
Entries = dict[tuple[str, str], Entry]

Health = Literal["good", "troubled", "failing", "idle"]


class Lately(Struct, frozen=True):
    """In the last minutes. idle: no calls; troubled: a twentieth of them failed, failing: half of them."""

    seconds: int
    health: Health
    values: Values


class CredentialView(Struct, frozen=True):
    """Never the secret itself."""

    name: Annotated[str, Meta(description="Empty: the upstream has but one.")]
    source: Annotated[str, Meta(description="Where it comes from: `env:OPENAI_API_KEY`, `AWS: as AWS's tools find it`.")]
    there: Annotated[bool | None, Meta(description="null: the cloud gives it when it is asked for; `gw check --reach` asks.")]
    weight: int
    left_alone: Annotated[
        Literal["", "calls", "probes"],
        Meta(description="Why other places are tried first, now: calls that failed or were asked to wait, or probes."),
    ]
    left_alone_s: Annotated[int, Meta(description="For how long still, unless a try shows before that it is well.")]
    limit_short: Annotated[bool, Meta(description="It says that little of its rate limit is left.")]
    probed: Annotated[Moment | None, Meta(description="null: nobody probes it.")]
    probe_ms: int | None
    probes_failed: Annotated[int, Meta(description="The last ones in a row.")]


class UpstreamView(Struct, frozen=True):
    name: str
    configured: Annotated[bool, Meta(description="false: it is in the ledger, but in the configuration no more.")]
    provider: str
    host: Annotated[str, Meta(description="Where calls are sent to.")]
    region: str
    models: Annotated[tuple[str, ...], Meta(description="Patterns of those that it serves.")]
    credential: Annotated[bool, Meta(description="It has one for virtual keys.")]
    credentials: tuple[CredentialView, ...]
    dialects: Annotated[tuple[str, ...], Meta(description="In which it is spoken to; the client's own, where it is among them.")]
    failed_over: Annotated[int, Meta(description="Attempts of the last hour that failed here, and went elsewhere.")]
    tried_again: Annotated[int, Meta(description="Attempts of the last hour that failed here, and were made again here.")]
    lately: Lately
    values: Values
    calls: Annotated[tuple[int, ...], Meta(description="In each of `buckets`.")]
    errors: tuple[int, ...]


class ModelView(Struct, frozen=True):
    """A model, as clients name it."""

    name: str
    served: Annotated[tuple[str, ...], Meta(description="As answers name it.")]
    values: Values
    priced: Annotated[bool, Meta(description="Every upstream that serves it has a price for it.")]
    cards: Annotated[tuple[CardView, ...], Meta(description="By upstream that serves it, in the order of the configuration.")]
    overrides: Annotated[tuple[str, ...], Meta(description="That price some of its calls now, those for a key or team, too.")]


class Upstreams(Struct, frozen=True, rename={"from_": "from"}):
    """By whole hours, up to the end of the one that is running."""

    from_: Moment
    to: Moment
    tz: str
    bucket: Literal["hour", "day"]
    buckets: tuple[Moment, ...]
    upstreams: tuple[UpstreamView, ...]
    models: Annotated[tuple[ModelView, ...], Meta(description="Those that were called, the dearest first.")]
    models_hidden: Annotated[int, Meta(description="That are not listed, because there are too many.")]
    overrides: tuple[OverrideView, ...]
    price_source: Annotated[str, Meta(description="Price data and the overlay on it, each with its date.")]
    unknown_model: Annotated[str, Meta(description="[pricing] unknown_model: what becomes of a model without a price.")]


SHAPES = (Upstreams,)


def upstreams(desk: Desk, ask: Ask) -> Answer:
    asked = read(replace(ask, query={name: ask.query[name] for name in ASKED if name in ask.query}))
    from_us = asked.wanted.bounds[0] // HOUR_US * HOUR_US
    to_us = -(-asked.wanted.bounds[-1] // HOUR_US) * HOUR_US
    bucket: Bucket = "hour" if to_us - from_us <= HOURS_DRAWN * HOUR_US else "day"
    limits = whole_hours(bounds_of(bucket, from_us, to_us, asked.zone))
    found = look(ledger_of(desk), limits, ask.now_us)
    snapshot = desk.host.snapshot
    config = snapshot.config
    buckets, done, failed = len(limits) - 1, found.upstreams, found.failures
    places = {(upstream, credential): entry for upstream, credential, entry in desk.host.state.places.all()}
    ups = [_upstream(config, name, done.get(name), buckets, failed.get(name), places) for name in _names(config, done)]
    view = Upstreams(
        from_=moment_in(from_us, asked.zone),
        to=moment_in(to_us, asked.zone),
        tz=asked.zone,
        bucket="hour" if bucket == "hour" else "day",
        buckets=tuple(moment_in(at_us, asked.zone) for at_us in limits[:-1]),
        upstreams=tuple(ups),
        models=tuple(_model(desk, one, ask.now_us) for one in found.models[:MODELS_MAX]),
        models_hidden=max(len(found.models) - MODELS_MAX, 0),
        overrides=tuple(override_view(one, ask.now_us) for one in config.pricing.override),
        price_source=snapshot.book.label,
        unknown_model=config.pricing.unknown_model,
    )
    return Answer(200, msgspec.json.encode(view) + b"\n", headers=NO_STORE)


def _names(config: Config, found: dict[str, Done]) -> list[str]:
    """What is configured, in its order, then what the ledger alone knows. A call that was refused has none."""
    configured = [one.name for one in config.upstream]
    return [*configured, *sorted(name for name in found if name and name not in configured)]


def _upstream(  # noqa: PLR0917 - all that is known of one
    config: Config, name: str, done: Done | None, buckets: int, failures: Failures | None, places: Entries
) -> UpstreamView:
    one = next((each for each in config.upstream if each.name == name), None)
    done = done or Done(none(OF_UPSTREAM), none(OF_UPSTREAM), [0] * buckets, [0] * buckets)
    return UpstreamView(
        name=name,
        configured=one is not None,
        provider=one.provider if one is not None else "",
        host=_host(one),
        region=one.region if one is not None else "",
        models=tuple(one.models) if one is not None else (),
        credential=one is not None and one.authorised,
        credentials=tuple(_credential(name, each, places) for each in credentials_of(one)) if one is not None else (),
        dialects=dialects_of(one) if one is not None else (),
        failed_over=failures.elsewhere if failures is not None else 0,
        tried_again=failures.again if failures is not None else 0,
        lately=Lately(LATELY_US // 1_000_000, health(done.lately), shown(OF_UPSTREAM, done.lately)),
        values=shown(OF_UPSTREAM, done.whole),
        calls=tuple(done.calls),
        errors=tuple(done.errors),
    )


def _credential(upstream: str, one: CredentialFact, places: Entries) -> CredentialView:
    entry = places.get((upstream, one.name))
    now = entry.standing(clock.mono_ns()) if entry is not None else UNKNOWN
    left_alone_ns = max(now.open_ns, now.down_ns)
    return CredentialView(
        name=one.name,
        source=one.source,
        there=one.there,
        weight=one.weight,
        left_alone=("probes" if now.down_ns else "calls") if left_alone_ns else "",
        left_alone_s=-(-left_alone_ns // NS_PER_S),
        limit_short=now.short_ns > 0,
        probed=moment_in(now.probed_us, "UTC") if now.probed_us else None,
        probe_ms=now.probe_us // 1000 if now.probed_us else None,
        probes_failed=now.probes_failed,
    )


def _host(one: Upstream | None) -> str:
    """Without what may stand before an @."""
    return urlsplit(one.address).netloc.rpartition("@")[2] if one is not None else ""


def health(lately: Figures) -> Health:
    calls, errors = lately["calls"] - lately["refused"], lately["errors"]
    if calls <= 0:
        return "idle"
    if errors >= calls * FAILING and (calls >= CALLS_MIN or errors == calls):
        return "failing"
    return "troubled" if errors >= calls * TROUBLED and errors else "good"


def _model(desk: Desk, one: Called, now_us: int) -> ModelView:
    snapshot = desk.host.snapshot
    serving = tuple(each for each in snapshot.config.upstream if matches_any(one.requested, tuple(each.models)))
    cards = tuple(card_of(snapshot.book, each, one.requested, one.served, now_us) for each in serving)
    return ModelView(
        name=one.requested,
        served=one.served,
        values=shown(OF_MODEL, one.whole),
        priced=all(card.known for card in cards),
        cards=cards,
        overrides=overrides_on(snapshot.config, serving, one.requested, now_us),
    )
