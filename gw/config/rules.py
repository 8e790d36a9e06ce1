"""What keys of the configuration say about each other: references, duplicates, contradictions, and what only deserves a warning.

Pure functions over a Config. `broken` holds the keys whose value is a stand-in because their own was refused; a rule that
would judge one of them stays silent, so that one mistake gives one complaint.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address
from urllib.parse import urlsplit

from gw.config import alert_rules, budget_rules, content_rules, export_rules, routing_rules, upstream_rules
from gw.config.alert_model import Alert, Notify, Siem
from gw.config.budget_model import Budget, Limit
from gw.config.content_model import Redact
from gw.config.export_model import Export
from gw.config.locate import Path
from gw.config.model import Config, Customer, Key, Override, Team, Upstream
from gw.config.names import Names
from gw.config.routing_model import Rule
from gw.config.said import nearest
from gw.config.secret import Secret
from gw.domain.key import parse
from gw.domain.labels import LABELS, labels_of

Finding = tuple[Path, str]
Named = Upstream | Customer | Team | Key | Override | Budget | Limit | Siem | Notify | Alert | Export | Redact | Rule
PEPPER_CHARS_MIN = 16  # a shorter one could be guessed, and with it which key a stored digest belongs to
FAULTS = {
    "malformed": "is not a virtual key (gwk_...); `gw key create` makes one",
    "bad_checksum": "is a damaged virtual key: its checksum does not fit",
}
RATES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def problems(config: Config, broken: Collection[Path], place: Callable[[Path], str], *, whole: bool = False) -> Iterator[Finding]:
    """Every reason why this configuration must not be used. `place` gives the file and line of a path. `whole`: what the
    database defines is part of it."""
    unsure = {path[0] for path in broken if len(path) == 1 or path[-1] == "name"}  # kinds of which not every name is known
    references = ((path, message) for kind, path, message in _references(config, whole=whole) if kind not in unsure)
    for findings in (
        _duplicates(config, place),
        references,
        _secrets(config),
        upstream_rules.problems(config.upstream),
        _keys(config),
        _credentials(config),
        _pricing(config),
        _metrics(config),
        budget_rules.problems(config, broken),
        alert_rules.problems(config),
        export_rules.problems(config),
        content_rules.problems(config),
        routing_rules.problems(config),
    ):
        for path, message in findings:
            if not _touches(path, broken):
                yield path, message


def warnings(config: Config, origins: Mapping[Path, str]) -> Iterator[Finding]:
    """What is allowed and probably not meant."""
    if config.auth.passthrough and not _is_loopback(config.server.host):
        yield ("server", "host"), "opens gw to the network, and with auth.passthrough anyone there may send calls through it"
    for path, secret in _all_secrets(config):
        if secret.reference == "literal" and not origins.get(path, "").startswith("GW_"):
            yield path, "the secret stands in the file itself; env:NAME or file:PATH keeps it out"
    for position, upstream in enumerate(config.upstream):
        path = ("upstream", position)
        if upstream.base_url.startswith("http://") and not _is_loopback(urlsplit(upstream.base_url).hostname or ""):
            yield (*path, "base_url"), "is not encrypted: credentials and prompts cross the network in the clear"
    for position, key in enumerate(config.key):
        for pattern in key.upstreams:
            if not any(fnmatchcase(upstream.name, pattern) for upstream in config.upstream):
                yield ("key", position, "upstreams"), f'no upstream matches "{pattern}"'
    yield from upstream_rules.warnings(config.upstream, origins)
    key_names = [key.name for key in config.key]
    for position, override in enumerate(config.pricing.override):
        if override.key and override.key not in key_names:
            message = (
                f'there is no key "{override.key}" in this file{nearest(override.key, key_names)} (it may be in the database)'
            )
            yield ("pricing", "override", position, "key"), message
    yield from alert_rules.warnings(config)
    yield from content_rules.warnings(config)
    yield from routing_rules.warnings(config)


def _touches(path: Path, broken: Collection[Path]) -> bool:
    """The key itself was refused, or, for a finding about a whole table, any key in it."""
    return any(path == other[: len(path)] for other in broken)


def _duplicates(config: Config, place: Callable[[Path], str]) -> Iterator[Finding]:
    """Each name once in its kind, each secret once among the keys."""
    kinds: tuple[tuple[Path, tuple[Named, ...]], ...] = (
        (("upstream",), config.upstream),
        (("customer",), config.customer),
        (("team",), config.team),
        (("key",), config.key),
        (("pricing", "override"), config.pricing.override),
        (("budget",), config.budget),
        (("limit",), config.limit),
        (("siem",), config.siem),
        (("notify",), config.notify),
        (("alert",), config.alert),
        (("export",), config.export),
        (("content", "redact"), config.content.redact),
        (("rule",), config.rule),
    )
    for path, elements in kinds:
        first: dict[str, int] = {}
        for position, element in enumerate(elements):
            earlier = first.setdefault(element.name, position)
            if earlier != position:
                yield (*path, position, "name"), f'duplicate name "{element.name}", also at {place((*path, earlier, "name"))}'
    yield from _shared_secrets(config.key)


def _shared_secrets(keys: tuple[Key, ...]) -> Iterator[Finding]:
    """Two names for one secret: which of them would a call be billed to?"""
    first: dict[str, Key] = {}
    for position, key in enumerate(keys):
        mark = key.secret.digest() or key.secret_hash
        if mark and first.setdefault(mark, key) is not key:
            yield ("key", position, "secret" if key.secret else "secret_hash"), f'key "{first[mark].name}" has the same secret'


def _references(config: Config, *, whole: bool) -> Iterator[tuple[str, Path, str]]:
    """Names that stand for nothing, as (kind of the name, path, message)."""
    customers = Names(customer.name for customer in config.customer)
    teams = Names(team.name for team in config.team)
    upstreams = Names(upstream.name for upstream in config.upstream)
    for position, team in enumerate(config.team):
        yield from _reference("customer", team.customer, customers, ("team", position, "customer"))
    for position, key in enumerate(config.key):
        yield from _reference("team", key.team, teams, ("key", position, "team"))
        for pattern in key.upstreams:
            yield from _reference("upstream", pattern, upstreams, ("key", position, "upstreams"))
    for position, override in enumerate(config.pricing.override):
        yield from _reference("team", override.team, teams, ("pricing", "override", position, "team"))
        yield from _reference("upstream", override.upstream, upstreams, ("pricing", "override", position, "upstream"))
    keys = Names(key.name for key in config.key)
    known = {"customer": customers, "team": teams, "key": keys, "upstream": upstreams}
    yield from budget_rules.references(config, known, whole=whole)


def _reference(kind: str, name: str, known: Names, path: Path) -> Iterator[tuple[str, Path, str]]:
    is_pattern = kind == "upstream" and ("*" in name or "?" in name)
    if name and not is_pattern and name not in known:
        yield kind, path, f'there is no {kind} "{name}"{known.nearest(name)}'


def _secrets(config: Config) -> Iterator[Finding]:
    """References that must stand for something from the start: without them gw would do another thing than it was told."""
    pepper = config.auth.pepper
    if pepper.missing:
        yield ("auth", "pepper"), pepper.reason
    elif pepper and len(pepper.reveal()) < PEPPER_CHARS_MIN:
        yield ("auth", "pepper"), f"must have at least {PEPPER_CHARS_MIN} characters"


def _metrics(config: Config) -> Iterator[Finding]:
    """A token that is missing must not leave the page open to everybody."""
    if config.metrics.token.missing:
        yield ("metrics", "token"), config.metrics.token.reason
    for pattern in config.metrics.labels:
        if not labels_of([pattern]):
            message = f'no label is named "{pattern}"{nearest(pattern, list(LABELS))}; there are {", ".join(LABELS)}'
            yield ("metrics", "labels"), message


def _keys(config: Config) -> Iterator[Finding]:
    for position, key in enumerate(config.key):
        if key.secret.reference and key.secret_hash:
            yield ("key", position), f'key "{key.name}" has both secret and secret_hash; keep one'
        elif not key.secret.reference and not key.secret_hash:
            yield ("key", position), f'key "{key.name}" has neither secret nor secret_hash; `gw key create` makes one'
        elif key.secret.missing and key.active:
            yield ("key", position, "secret"), key.secret.reason
        elif key.secret and (fault := parse(key.secret.reveal()).fault):
            yield ("key", position, "secret"), FAULTS[fault]


def _credentials(config: Config) -> Iterator[Finding]:
    """A virtual key is served with gw's own credential: an active one needs an upstream that has one."""
    complained: set[int] = set()
    for key in config.key:
        usable = [
            (position, upstream)
            for position, upstream in enumerate(config.upstream)
            if any(fnmatchcase(upstream.name, pattern) for pattern in key.upstreams)
        ]
        if not key.active or any(upstream.authorised for _, upstream in usable):
            continue
        for position, upstream in usable:
            if position not in complained:
                complained.add(position)
                for path, reason in upstream_rules.missing(upstream):
                    yield ("upstream", position, *path), f'{reason}, and key "{key.name}" needs it'


def _pricing(config: Config) -> Iterator[Finding]:
    for position, override in enumerate(config.pricing.override):
        yield from _override(override, ("pricing", "override", position))
    if config.pricing.unknown_model == "fallback":
        lacking = [rate for rate in RATES if not getattr(config.pricing.fallback, rate)]
        if lacking:
            message = f'unknown_model = "fallback" needs all five rates here; missing: {", ".join(lacking)}'
            yield ("pricing", "fallback"), message


def _override(override: Override, path: Path) -> Iterator[Finding]:
    rates = [rate for rate in RATES if getattr(override, rate)]
    if override.multiplier and rates:
        yield path, f'override "{override.name}" has a multiplier and rates ({", ".join(rates)}); keep one of the two'
    elif not override.multiplier and not rates:
        yield path, f'override "{override.name}" changes nothing; give a multiplier or some rates'
    if override.from_ is not None and override.until is not None and override.from_ >= override.until:
        yield (*path, "until"), "must be later than from"


def _all_secrets(config: Config) -> Iterator[tuple[Path, Secret]]:
    """Those that should not be literals. Header values may be harmless, and a literal proxy has no password."""
    yield ("auth", "pepper"), config.auth.pepper
    yield ("metrics", "token"), config.metrics.token
    yield from upstream_rules.secrets(config.upstream)
    for position, key in enumerate(config.key):
        yield ("key", position, "secret"), key.secret
    yield from alert_rules.secrets(config)
    yield from content_rules.secrets(config)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
