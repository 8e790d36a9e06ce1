"""From what TOML says to what the model holds: one reader per kind of key.

A reader takes the raw value and gives the typed one, or raises ValueError with words that follow "config.toml:12: key: ".
Those words never quote a value that may be, or hold, a secret: secrets, header values, digests and URLs stay out of them.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from gw.config.address import HOST, check_url, storage_address
from gw.config.header_names import is_header, is_own
from gw.config.routing_values import READERS as ROUTING_READERS
from gw.config.said import LIKE_A_SECRET, nearest, shown
from gw.config.schema import Spec
from gw.config.secret import Secret, resolve
from gw.config.upstream_values import READERS as UPSTREAM_READERS
from gw.domain.limit import parse_per
from gw.domain.money import rate_from_usd_per_mtok
from gw.domain.schedule import check_schedule
from gw.domain.target import check_target, check_template
from gw.domain.window import parse_window, zone_of

TEXT_CHARS_MAX = 1000
NAME_CHARS_MAX = 80
MULTIPLIER_MAX = 100
MULTIPLIER_DECIMALS_MAX = 9
RATE_USD_PER_MTOK_MAX = 1_000_000
USD_MAX = 1_000_000_000
USD_DECIMALS_MAX = 9  # budgets count nano-USD
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # an earlier date in a price or a key is a slip of the pen

_NAME = re.compile(r"[\w.@+:/-]+(?: [\w.@+:/-]+)*")
_ANCHOR = re.compile(r"[0-9T:. -]{0,26}")


class Surroundings(Struct, frozen=True):
    """What a value may refer to: the environment, and the directory that relative paths start at."""

    environ: Mapping[str, str]
    base: Path


Reader = Callable[[Spec, object, Surroundings], object]


def read_value(spec: Spec, raw: object, around: Surroundings) -> object:
    """The typed value of one key. Raises ValueError."""
    return READERS[spec.kind](spec, raw, around)


def raw_from_text(spec: Spec, text: str) -> object:
    """What TOML would have given for the text of an environment variable; what does not fit stays text, and is then refused."""
    if spec.kind == "bool":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if spec.kind in {"int", "float"}:
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
    return text


def _bool(spec: Spec, raw: object, around: Surroundings) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(f"must be true or false, not {shown(raw)}")
    return raw


def _int(spec: Spec, raw: object, around: Surroundings) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise ValueError(f"must be a whole number, not {shown(raw)}")
    _check_range(spec, raw)
    return raw


def _float(spec: Spec, raw: object, around: Surroundings) -> float:
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not math.isfinite(raw):
        raise ValueError(f"must be a number, not {shown(raw)}")
    _check_range(spec, raw)
    return float(raw)


def _check_range(spec: Spec, number: float) -> None:
    assert spec.low is not None and spec.high is not None, f"{spec.key} has no range"
    if not spec.low <= number <= spec.high:
        raise ValueError(f"must be {spec.range_text}, not {shown(number)}")


def _choice(spec: Spec, raw: object, around: Surroundings) -> str:
    if not isinstance(raw, str) or raw not in spec.choices:
        hint = nearest(raw, list(spec.choices)) if isinstance(raw, str) else ""
        raise ValueError(f"must be one of {spec.range_text}, not {shown(raw)}{hint}")
    return raw


def _text(spec: Spec, raw: object, around: Surroundings) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"must be text in quotes, not {shown(raw)}")
    if len(raw) > TEXT_CHARS_MAX:
        raise ValueError(f"is longer than {TEXT_CHARS_MAX} characters")
    if not raw.isprintable():
        raise ValueError("contains a line break or another control character")
    return raw


def _name(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _text(spec, raw, around)
    if not text:
        raise ValueError("must not be empty")
    if text.startswith(("gwk_", "sk-ant-")):
        raise ValueError("looks like a secret, and names are shown to everyone")
    if len(text) > NAME_CHARS_MAX:
        raise ValueError(f"is longer than {NAME_CHARS_MAX} characters")
    if not _NAME.fullmatch(text):
        raise ValueError(f"must be letters, digits, . @ + : / _ - and single spaces between them, not {shown(text)}")
    return text


def _host(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _text(spec, raw, around)
    if not HOST.fullmatch(text):
        raise ValueError(f"must be a host name or an IP address, not {shown(text)}")
    return text


def _directory(spec: Spec, raw: object, around: Surroundings) -> Path:
    return around.base / (_text(spec, raw, around) or ".")


def _path(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _text(spec, raw, around)
    return str(around.base / text) if text else ""


def _url(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _text(spec, raw, around)
    if text:
        check_url(text)
    return text.rstrip("/")


def _proxy(spec: Spec, raw: object, around: Surroundings) -> Secret:
    secret = _secret(spec, raw, around)
    if not secret:
        return secret
    literal = secret.reference == "literal"
    try:
        check_url(secret.reveal(), credentials=not literal)
    except ValueError as error:
        hint = "; put the whole URL behind env:NAME or file:PATH" if literal and "password" in str(error) else ""
        raise ValueError(f"{error}{hint}") from error
    return secret


def _storage(spec: Spec, raw: object, around: Surroundings) -> Secret:
    """Its reference is the address itself, for people to see, unless it stands behind env:NAME or file:PATH."""
    text = _text(spec, raw, around)
    if not text.startswith(("env:", "file:")):
        address = storage_address(text, around.base)
        return Secret(address, address)
    secret = resolve(text, environ=around.environ, base=around.base)
    if not secret:
        raise ValueError(secret.reason)
    return Secret(text, storage_address(secret.reveal(), around.base, password=True))


def _globs(spec: Spec, raw: object, around: Surroundings) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise ValueError(f'must be a list of patterns such as ["*"], not {shown(raw)}')
    if not raw:
        raise ValueError('is empty, so nothing would match; write ["*"] for everything')
    for pattern in raw:
        _glob(spec, pattern, around)
    return tuple(raw)


def _glob(spec: Spec, raw: object, around: Surroundings) -> str:
    """`*` and `?` only. Brackets are refused because `opus[1m]` reads like a model's name and would not match it."""
    text = _text(spec, raw, around)
    if not text:
        raise ValueError('the empty pattern matches nothing; write "*" for everything')
    if "[" in text or "]" in text:
        raise ValueError(f"pattern {shown(text)}: only * and ? are special, brackets are not supported")
    return text


def _headers(spec: Spec, raw: object, around: Surroundings) -> dict[str, Secret]:
    if not isinstance(raw, dict):
        raise ValueError('must be a table such as { "x-name" = "value" }')
    headers = {}
    for name, value in raw.items():
        if not is_header(name):
            raise ValueError(f"{shown(name)} is not a header name")
        if is_own(name, credentials=spec.kind == "headers"):
            raise ValueError(f'"{name}" is set by gw itself')
        if name.lower() in headers:
            raise ValueError(f'"{name}" is given twice')
        try:
            headers[name.lower()] = _secret(spec, value, around)
        except ValueError as error:
            raise ValueError(f'"{name}": {error}') from error
        if headers[name.lower()].missing:
            raise ValueError(f'"{name}": {headers[name.lower()].reason}')
    return headers


def _secret(spec: Spec, raw: object, around: Surroundings) -> Secret:
    if not isinstance(raw, str):
        raise ValueError('must be text: "env:NAME" or "file:PATH"')
    return resolve(raw, environ=around.environ, base=around.base)


def _hash(spec: Spec, raw: object, around: Surroundings) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"(?:[0-9a-f]{64})?", raw):
        raise ValueError("must be the 64 hexadecimal digits that `gw key create` prints, not the key itself")
    return raw


def _moment(spec: Spec, raw: object, around: Surroundings) -> datetime | None:
    """A date is its first instant in UTC; a date-time must say its offset, or two machines would read two instants."""
    if raw == "":
        return None
    value = raw
    if isinstance(raw, str):
        try:
            value = date.fromisoformat(raw) if len(raw) <= 10 else datetime.fromisoformat(raw)
        except ValueError as error:
            raise ValueError(f"must be a date such as 2027-01-31, not {shown(raw)}") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if not isinstance(value, datetime):
        raise ValueError(f"must be a date such as 2027-01-31, not {shown(raw)}")
    if value.tzinfo is None:
        raise ValueError(f"has no offset; write {value.isoformat()}Z for UTC")
    if value < EARLIEST:
        raise ValueError(f"must not be before {EARLIEST.year}, not {shown(raw)}")
    return value.astimezone(UTC)


def _rate(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _decimal_text(raw)
    if text and not 0 <= rate_from_usd_per_mtok(text) <= rate_from_usd_per_mtok(str(RATE_USD_PER_MTOK_MAX)):
        raise ValueError(f"must be 0 to {RATE_USD_PER_MTOK_MAX} USD per million tokens, not {shown(raw)}")
    return text


def _multiplier(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _decimal_text(raw)
    if text and not 0 <= Decimal(text) <= MULTIPLIER_MAX:
        raise ValueError(f"must be 0 to {MULTIPLIER_MAX}, not {shown(raw)}")
    if len(text.partition(".")[2]) > MULTIPLIER_DECIMALS_MAX:
        raise ValueError(f"has more than {MULTIPLIER_DECIMALS_MAX} decimals")
    return text


def _usd(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _decimal_text(raw)
    if not text and spec.required:
        raise ValueError('must be an amount, such as "2500"')
    if text and not 0 <= Decimal(text) <= USD_MAX:
        raise ValueError(f"must be 0 to {USD_MAX} USD, not {shown(raw)}")
    if len(text.partition(".")[2]) > USD_DECIMALS_MAX:
        raise ValueError(f"has more than {USD_DECIMALS_MAX} decimals")
    return text


def _scope(spec: Spec, raw: object, around: Surroundings) -> str:
    return "" if raw == "" else _glob(spec, raw, around)


def _anchor(spec: Spec, raw: object, around: Surroundings) -> str:
    """What it may say depends on the window; here only that it is a day or a moment, as text, number or date."""
    text = str(raw) if isinstance(raw, int | date) and not isinstance(raw, bool) else _text(spec, raw, around)
    if not _ANCHOR.fullmatch(text):
        raise ValueError(f"must be a day, or a date and time without offset, not {shown(raw)}")
    return text


def _burst(spec: Spec, raw: object, around: Surroundings) -> str:
    text = _decimal_text(raw)
    if text and Decimal(text) <= 0:
        raise ValueError(f"must be more than 0, not {shown(raw)}")
    return text


def _fractions(spec: Spec, raw: object, around: Surroundings) -> tuple[float, ...]:
    """Thresholds, not money: each is a whole number of basis points, which its shortest decimal says exactly."""
    if not isinstance(raw, list):
        raise ValueError(f"must be a list of numbers such as [0.5, 0.8], not {shown(raw)}")
    for part in raw:
        if isinstance(part, bool) or not isinstance(part, int | float) or not 0 < part <= 1:
            raise ValueError(f"must hold numbers above 0 and at most 1, not {shown(part)}")
        if Decimal(repr(part)) * 10_000 % 1:
            raise ValueError(f"has more than 4 decimals: {part}")
    if raw != sorted(set(raw)):
        raise ValueError("must rise from one to the next")
    return tuple(float(part) for part in raw)


def _columns(spec: Spec, raw: object, around: Surroundings) -> tuple[str, ...]:
    return () if raw == [] else _globs(spec, raw, around)


def _target(spec: Spec, raw: object, around: Surroundings) -> str:
    return check_target(_text(spec, raw, around))


def _parsed(parse: Callable[[str], object]) -> Reader:
    """Text that `parse` takes, which may repeat it in its complaint."""

    def reader(spec: Spec, raw: object, around: Surroundings) -> str:
        text = _text(spec, raw, around)
        if LIKE_A_SECRET.search(text):
            raise ValueError(f"must be {spec.range_text}, not {shown(text)}")
        parse(text)
        return text

    return reader


def _decimal_text(raw: object) -> str:
    """Money is text or a whole number. A TOML float has lost its last digits before anyone could look."""
    if isinstance(raw, float):
        raise ValueError(f'must be written in quotes, "{raw!r}": a bare TOML float is not exact')
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError(f'must be a decimal number in quotes, such as "0.85", not {shown(raw)}')
    text = str(raw)
    if text and not re.fullmatch(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?", text):
        raise ValueError(f'must be a decimal number in quotes, such as "0.85", not {shown(raw)}')
    return text


READERS: dict[str, Reader] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "choice": _choice,
    "text": _text,
    "name": _name,
    "host": _host,
    "directory": _directory,
    "path": _path,
    "url": _url,
    "proxy": _proxy,
    "storage": _storage,
    "globs": _globs,
    "glob": _glob,
    "headers": _headers,
    "pairs": _headers,
    "secret": _secret,
    "hash": _hash,
    "moment": _moment,
    "rate": _rate,
    "multiplier": _multiplier,
    "usd": _usd,
    "scope": _scope,
    "window": _parsed(parse_window),
    "zone": _parsed(zone_of),
    "anchor": _anchor,
    "per": _parsed(parse_per),
    "burst": _burst,
    "fractions": _fractions,
    "columns": _columns,
    "target": _target,
    "schedule": _parsed(check_schedule),
    "template": _parsed(check_template),
    **ROUTING_READERS,
    **UPSTREAM_READERS,
}
