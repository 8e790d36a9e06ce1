"""The shape of config.toml, one Struct per table. Everything said about a key is said here, once.

From this file come the loader's checks, the comments of config.toml and docs/config.md (`gw.config.reference`). A default
is given as TOML would say it; `load` resolves paths and secrets, so build a `Config` with `load`, not by hand.
"""

from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gw.config.alert_model import Alert, Alerts, Audit, Notify, Siem
from gw.config.budget_model import Budget, Budgets, Limit
from gw.config.content_model import Content
from gw.config.export_model import Export
from gw.config.metrics_model import Metrics
from gw.config.routing_model import Route, Routing, Rule, Tiers
from gw.config.schema import Table, about
from gw.config.secret import Secret
from gw.config.telemetry_model import ClaudeTelemetry, Datadog, Otel
from gw.config.upstream_model import CONNECTIONS_MAX, SECONDS_MAX
from gw.config.upstream_model import Upstream as Upstream  # noqa: PLC0414 - most ask for it here

Choice = Literal["", "deny", "allow_unpriced", "fallback"]
Stores = Literal["", "yes", "no"]
Globs = tuple[str, ...]

RATE = "USD per million tokens"


class Server(Table, frozen=True):
    """Where gw listens, how many processes serve, and how it behaves when clients or the operator leave."""

    host: Annotated[str, about("Address to listen on. 0.0.0.0 or :: opens gw to the network.", kind="host")] = "127.0.0.1"
    port: Annotated[int, about("TCP port to listen on.", low=1, high=65_535)] = 8080
    workers: Annotated[int, about("Worker processes. 0 means one per CPU, at most 8.", low=0, high=64)] = 0
    connections_max: Annotated[
        int, about("Client connections per worker; further ones wait to be accepted.", low=1, high=CONNECTIONS_MAX)
    ] = 4096
    state_dir: Annotated[
        Path, about("Where journals, shared state and the pepper are kept. Relative paths start at this file's directory.")
    ] = Path(".gw")
    body_bytes_max: Annotated[
        int, about("Largest request body; a larger one is refused with 413.", unit="bytes", low=1024, high=1 << 30)
    ] = 67_108_864
    drain_timeout_s: Annotated[
        int, about("How long running calls may go on after SIGTERM before they are closed.", unit="s", low=0, high=86_400)
    ] = 30
    ping_interval_s: Annotated[
        float, about("A stream that has been silent for this long gets a ping event.", unit="s", low=0.1, high=3600)
    ] = 15
    on_client_gone: Annotated[
        Literal["cancel", "drain"],
        about(
            "When the client leaves in mid-stream: cancel closes the upstream and bills what was observed; "
            "drain reads on, within the two bounds below, for the exact bill."
        ),
    ] = "cancel"
    drain_client_gone_s: Annotated[
        float, about("With drain: read on for at most this long.", unit="s", low=0, high=SECONDS_MAX)
    ] = 30
    drain_client_gone_tokens: Annotated[
        int, about("With drain: read on for at most this many more output tokens.", unit="tokens", low=0, high=10_000_000)
    ] = 20_000
    keep_awake: Annotated[
        bool,
        about(
            "While calls come, keep the machine's processors from sleeping between them: shorter latencies for the price of "
            "power. Workers must be allowed to write to /dev/cpu_dma_latency (Linux)."
        ),
    ] = False
    log_level: Annotated[Literal["debug", "info", "warning", "error"], about("Least severity that is logged.")] = "info"
    contact: Annotated[str, about("Who to turn to, as named in refusals.")] = "your gateway administrator"


class Auth(Table, frozen=True):
    """Who may call. A virtual key (gwk_...) is always accepted; gw's own upstream credential serves virtual keys only."""

    passthrough: Annotated[
        bool,
        about("Forward calls without a virtual key under the client's own credential, and attribute them to a digest of it."),
    ] = True
    pepper: Annotated[
        Secret,
        about(
            "Secret that keys the stored digests of virtual keys. Empty: a file named pepper in the state directory.",
            kind="secret",
        ),
    ] = Secret("")


class Storage(Table, frozen=True):
    """Where the ledger is kept."""

    url: Annotated[
        Secret,
        about(
            "Database of the ledger: a SQLite file (relative paths start at this file's directory, four slashes make it "
            "absolute), or a Postgres database, for which the extra gw[postgres] is needed. One with a password stands behind "
            "env:NAME or file:PATH.",
            kind="storage",
        ),
    ] = Secret("sqlite:///.gw/gw.db", "sqlite:///.gw/gw.db")
    retention_months: Annotated[
        int,
        about(
            "How many whole months of calls are kept besides the running one (UTC). Older calls go; what budgets have used of "
            "them stays. 0 keeps all.",
            unit="months",
            low=0,
            high=1200,
        ),
    ] = 0
    hourly_months: Annotated[
        int,
        about(
            "How many whole months of sums per hour are kept besides the running one (UTC). Sums per day stay for good: what is "
            "older is known by whole days of UTC. 0 keeps all.",
            unit="months",
            low=0,
            high=1200,
        ),
    ] = 0

    @property
    def address(self) -> str:
        """The whole of it, with its password if it has one; of a SQLite file absolute after `load`."""
        return self.url.reveal()


class Journal(Table, frozen=True):
    """The append-only files between the workers and the ledger."""

    fsync: Annotated[
        Literal["none", "interval", "always"],
        about(
            "What survives the death of the machine: none leaves it to the system, interval loses at most the interval below, "
            "always waits for the disk on every call. The death of gw alone loses nothing in any of them."
        ),
    ] = "none"
    fsync_interval_ms: Annotated[
        int, about("With interval: the longest time a record stays unsynced.", unit="ms", low=1, high=60_000)
    ] = 200
    segment_bytes_max: Annotated[
        int, about("A journal file is closed and a new one begun at this size.", unit="bytes", low=65_536, high=1 << 30)
    ] = 16_777_216


class Fallback(Table, frozen=True):
    """Rates for models without a price: used only with unknown_model = "fallback", which needs all five."""

    input: Annotated[str, about("Uncached input tokens.", kind="rate", unit=RATE, example="5")] = ""
    output: Annotated[str, about("Output tokens.", kind="rate", unit=RATE, example="25")] = ""
    cache_read: Annotated[str, about("Input tokens read from the cache.", kind="rate", unit=RATE, example="0.50")] = ""
    cache_write_5m: Annotated[
        str, about("Input tokens written to the cache for 5 minutes.", kind="rate", unit=RATE, example="6.25")
    ] = ""
    cache_write_1h: Annotated[
        str, about("Input tokens written to the cache for 1 hour.", kind="rate", unit=RATE, example="10")
    ] = ""


class Override(Table, rename={"from_": "from"}, frozen=True):
    """A negotiated price. Its scope (upstream, model, key, team, dates) says which calls it is for; the most specific one
    wins, and a tie is an error. It has either a multiplier of the list price or some rates, the others staying at list."""

    name: Annotated[str, about("Recorded with each call that it priced.", kind="name", example="spring contract")]
    upstream: Annotated[str, about("Only calls to upstreams of this name.", kind="glob")] = "*"
    model: Annotated[
        str, about("Only these models, in any case and with or without [1m].", kind="glob", example="claude-opus-*")
    ] = "*"
    key: Annotated[str, about("Only calls of this virtual key. Empty: any.")] = ""
    team: Annotated[str, about("Only calls of this team. Empty: any.")] = ""
    from_: Annotated[
        datetime | None, about("First instant at which it applies; a date means 00:00 UTC. Empty: always.", kind="moment")
    ] = None
    until: Annotated[
        datetime | None, about("First instant at which it applies no more; a date means 00:00 UTC. Empty: never.", kind="moment")
    ] = None
    multiplier: Annotated[str, about("Factor on every rate of the list price.", kind="multiplier", example="0.85")] = ""
    input: Annotated[str, about("Uncached input tokens.", kind="rate", unit=RATE)] = ""
    output: Annotated[str, about("Output tokens.", kind="rate", unit=RATE)] = ""
    cache_read: Annotated[str, about("Input tokens read from the cache.", kind="rate", unit=RATE)] = ""
    cache_write_5m: Annotated[str, about("Input tokens written to the cache for 5 minutes.", kind="rate", unit=RATE)] = ""
    cache_write_1h: Annotated[str, about("Input tokens written to the cache for 1 hour.", kind="rate", unit=RATE)] = ""

    @property
    def from_us(self) -> int:
        """UTC microseconds since 1970; 0 = always."""
        return wall_us_of(self.from_)

    @property
    def until_us(self) -> int:
        """UTC microseconds since 1970; 0 = never ends."""
        return wall_us_of(self.until)


class Pricing(Table, frozen=True):
    """What a call costs, where the built-in price list does not say it. Money is written in quotes: a bare TOML float
    is not exact."""

    unknown_model: Annotated[
        Choice,
        about(
            "A model without a price: deny refuses the call, allow_unpriced lets it pass with cost 0 and a flag, "
            "fallback uses the rates of [pricing.fallback] and a flag. "
            "Empty: deny for virtual keys, allow_unpriced for passthrough."
        ),
    ] = ""
    sync_url: Annotated[
        str, about("Where to fetch a newer price list from. Empty: the built-in list only, no network.", kind="url")
    ] = ""
    sync_interval_h: Annotated[int, about("How often to look for a newer price list.", unit="h", low=1, high=8760)] = 24
    fallback: Fallback = Fallback()
    override: tuple[Override, ...] = ()


class Customer(Table, frozen=True):
    """The outermost account."""

    name: Annotated[str, about("Recorded with each call of its teams.", kind="name", example="acme")]


class Team(Table, frozen=True):
    """A group of virtual keys."""

    name: Annotated[str, about("Recorded with each call of its keys.", kind="name", example="platform")]
    customer: Annotated[str, about("The customer it belongs to. Empty: none.", example="acme")] = ""
    store_content: Annotated[
        Stores, about("Whether calls of its keys are kept with their content. Empty: as [content] store says.")
    ] = ""


class Key(Table, frozen=True):
    """A virtual key kept in this file; others come from `gw key create`. It has either a secret or a secret_hash."""

    name: Annotated[str, about("Recorded with each call.", kind="name", example="ci")]
    team: Annotated[str, about("The team it belongs to. Empty: none.", example="platform")] = ""
    secret: Annotated[Secret, about("The whole key, gwk_... .", kind="secret", example="env:GW_CI_KEY")] = Secret("")
    secret_hash: Annotated[str, about("The key's digest instead, so that this file holds no secret.", kind="hash")] = ""
    models: Annotated[Globs, about("Models that it may use.")] = ("*",)
    upstreams: Annotated[Globs, about("Upstreams that it may use, by name.")] = ("*",)
    expires: Annotated[
        datetime | None, about("First instant at which it is refused; a date means 00:00 UTC. Empty: never.", kind="moment")
    ] = None
    active: Annotated[bool, about("false refuses its calls.")] = True
    max_cost_usd: Annotated[
        str, about("A request that could cost more is refused. Empty: no such bound.", kind="usd", unit="USD")
    ] = ""
    max_tokens: Annotated[
        int, about("Most output tokens a request may ask for. 0: as the model allows.", unit="tokens", low=0, high=10_000_000)
    ] = 0
    session_limit_usd: Annotated[
        str, about("What each of its sessions may spend, in all. Empty: no such bound.", kind="usd", unit="USD")
    ] = ""
    owner: Annotated[str, about("Whose it is, such as an e-mail address, for those who look later.")] = ""
    store_content: Annotated[
        Stores, about("Whether its calls are kept with their content. Empty: as its team says, else as [content] store says.")
    ] = ""

    @property
    def expires_us(self) -> int:
        """UTC microseconds since 1970; 0 = never."""
        return wall_us_of(self.expires)


class Config(Table, frozen=True):
    """One whole configuration: immutable, with absolute paths and resolved secrets."""

    server: Server = Server()
    auth: Auth = Auth()
    storage: Storage = Storage()
    journal: Journal = Journal()
    pricing: Pricing = Pricing()
    upstream: tuple[Upstream, ...] = (Upstream(name="anthropic"),)
    customer: tuple[Customer, ...] = ()
    team: tuple[Team, ...] = ()
    key: tuple[Key, ...] = ()
    budgets: Budgets = Budgets()
    budget: tuple[Budget, ...] = ()
    limit: tuple[Limit, ...] = ()
    routing: Routing = Routing()
    tiers: Tiers = Tiers()
    route: tuple[Route, ...] = ()
    rule: tuple[Rule, ...] = ()
    audit: Audit = Audit()
    siem: tuple[Siem, ...] = ()
    alerts: Alerts = Alerts()
    notify: tuple[Notify, ...] = ()
    alert: tuple[Alert, ...] = ()
    export: tuple[Export, ...] = ()
    content: Content = Content()
    metrics: Metrics = Metrics()
    otel: Otel = Otel()
    datadog: Datadog = Datadog()
    claude_telemetry: ClaudeTelemetry = ClaudeTelemetry()

    @property
    def fingerprint(self) -> str:
        """32 hex digits that change when any value changes, a secret's value included; the same in every process."""
        return blake2b(msgspec.json.encode(self, enc_hook=_digest_of), digest_size=16).hexdigest()


def wall_us_of(moment: datetime | None) -> int:
    """UTC microseconds since 1970, exact; 0 for None. `load` gives every moment an offset."""
    if moment is None:
        return 0
    since = moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _digest_of(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    assert isinstance(value, Secret), f"{type(value).__name__} in a configuration"
    return f"{value.reference}#{value.digest()}"
