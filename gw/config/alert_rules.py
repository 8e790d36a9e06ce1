"""What the tables about being told say about each other; part of `rules.py`."""

from collections.abc import Iterator
from email.utils import parseaddr
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from gw.config.alert_model import Alert, Notify, Siem
from gw.config.locate import Path
from gw.config.model import Config
from gw.config.said import nearest
from gw.config.secret import Secret
from gw.domain.limit import parse_per

Finding = tuple[Path, str]
WINDOW_NS_MAX = 6 * 3600 * 10**9
SYSLOG = ("udp", "tcp", "tls")
WEB = ("https", "http")
MAIL = ("smtp", "smtps")
SCHEMES = {"webhook": WEB, "slack": WEB, "email": MAIL, "pagerduty": WEB}
NEEDED = {"webhook": ("url",), "slack": ("url",), "email": ("url", "to", "from_"), "pagerduty": ("secret",)}


def problems(config: Config) -> Iterator[Finding]:
    for position, siem in enumerate(config.siem):
        yield from _siem(siem, ("siem", position))
    for position, notify in enumerate(config.notify):
        yield from _notify(notify, ("notify", position))
    names = [one.name for one in config.notify]
    for position, alert in enumerate(config.alert):
        yield from _alert(alert, ("alert", position), names)
    if config.audit.key.missing:
        yield ("audit", "key"), config.audit.key.reason
    if config.audit.anchor_url and "://" not in config.audit.anchor_url:
        yield ("audit", "anchor_url"), "must be a URL, such as s3://company-audit/gw"


def warnings(config: Config) -> Iterator[Finding]:
    """A secret that is not there stops no gateway: what needs it cannot be used, which is said here, and when it is tried."""
    channels: tuple[tuple[str, tuple[Siem | Notify, ...]], ...] = (("siem", config.siem), ("notify", config.notify))
    for table, elements in channels:
        for position, element in enumerate(elements):
            for key in ("url", "secret"):
                if getattr(element, key).missing:
                    yield (table, position, key), f'{getattr(element, key).reason}: "{element.name}" cannot be used'
    for position, notify in enumerate(config.notify):
        used = any(fnmatchcase(notify.name, pattern) for alert in config.alert for pattern in alert.notify)
        if not used:
            yield ("notify", position), f'no alert goes to "{notify.name}"'


def secrets(config: Config) -> Iterator[tuple[Path, Secret]]:
    """Those that should not stand in the file."""
    yield ("audit", "key"), config.audit.key
    for position, siem in enumerate(config.siem):
        yield ("siem", position, "secret"), siem.secret
    for position, notify in enumerate(config.notify):
        yield ("notify", position, "secret"), notify.secret
        if notify.kind == "slack":
            yield ("notify", position, "url"), notify.url


def _siem(siem: Siem, path: Path) -> Iterator[Finding]:
    if siem.url:
        yield from _address((*path, "url"), siem.url, SYSLOG if siem.kind == "syslog" else WEB)
    elif not siem.url.reference:
        yield (*path, "url"), "is required"


def _notify(notify: Notify, path: Path) -> Iterator[Finding]:
    for key in NEEDED.get(notify.kind, ()):  # a kind that was refused has a stand-in
        value = getattr(notify, key)
        if not value and not (isinstance(value, Secret) and value.missing):
            yield path, f'"{notify.name}" is of kind {notify.kind}, which needs {key.rstrip("_")}'
    if notify.url and notify.kind in SCHEMES:
        yield from _address((*path, "url"), notify.url, SCHEMES[notify.kind])
    if notify.user and not notify.secret.reference:
        yield (*path, "user"), "signs in with a password: give it as secret"
    for key, text in (("to", notify.to), ("from", notify.from_)):
        for one in filter(None, (part.strip() for part in text.split(","))):
            if "@" not in parseaddr(one)[1]:
                yield (*path, key), f'"{one}" is no mail address'


def _alert(alert: Alert, path: Path, names: list[str]) -> Iterator[Finding]:
    for pattern in alert.notify:
        if alert.active and pattern != "*" and not any(fnmatchcase(name, pattern) for name in names):
            yield (*path, "notify"), f'there is no [[notify]] "{pattern}"{nearest(pattern, names)}'
    for key in ("window", "cooldown", "resolve_after"):
        try:
            length_ns = parse_per(getattr(alert, key))
        except ValueError:
            continue
        if key == "window" and length_ns > WINDOW_NS_MAX:
            yield (*path, key), "is longer than 6h"
    if alert.kind == "spend_rate" and not alert.usd_per_hour and not alert.times:
        yield path, f'"{alert.name}" is of kind spend_rate, which needs usd_per_hour or times'
    if alert.kind == "budget_threshold" and not alert.at:
        yield (*path, "at"), "is empty, so nothing would ever be told"


def _address(path: Path, url: Secret, schemes: tuple[str, ...]) -> Iterator[Finding]:
    """Never quotes it: an address may be a secret."""
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
    except ValueError:
        yield path, "is no address: its port is no number, or its host has brackets that do not fit"
        return
    if parts.scheme not in schemes or not parts.hostname:
        yield path, f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}, with a host after it"
    elif parts.scheme in SYSLOG and port is None:
        yield path, "needs a port, such as 6514 for tls"
    if parts.password and url.reference == "literal":
        yield path, "holds a password: put the whole address behind env:NAME or file:PATH"
