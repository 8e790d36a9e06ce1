"""What may stand where the configuration asks for the address of another machine."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

HOST = re.compile(r"[A-Za-z0-9._:%-]+")


def check_url(text: str, *, credentials: bool = False) -> None:
    """An absolute http(s) URL without query or fragment. Raises ValueError, without quoting more than the scheme."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in {"http", "https"} or not text.lower().startswith(f"{parts.scheme}://"):
        scheme = f', not "{parts.scheme}:"' if parts.scheme and "://" in text else ""
        raise ValueError(f'must begin with "https://" or "http://"{scheme}')
    if not parts.hostname or port == 0 or not HOST.fullmatch(parts.hostname):
        raise ValueError("has no valid host and port")
    if (parts.username is not None or parts.password is not None) and not credentials:
        raise ValueError("must not contain a user name or password")
    if "?" in text or "#" in text:
        raise ValueError('must not contain "?" or "#"')


def storage_address(text: str, base: Path, *, password: bool = False) -> str:
    """The address of a ledger: of a SQLite file with its whole path, of a Postgres database as it is. `password`: it may have
    one. Raises ValueError, without quoting anything."""
    if text.startswith(("postgresql:", "postgres:")):
        _check_postgres(text, password=password)
        return text
    path = text.removeprefix("sqlite:///")
    if path == text or not path or path.endswith("/"):
        raise ValueError('must be "sqlite:///" and the path of a file, or "postgresql://" and a database')
    if path == ":memory:" or "?" in path:
        raise ValueError("must name a file, without options: several processes share it")
    return f"sqlite:///{base / path}"


def _check_postgres(text: str, *, password: bool) -> None:
    """As far as can be said without libpq, which knows more forms than any parser of URLs: several hosts, sockets, services."""
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError('must begin with "postgresql://"')
    network, _, rest = text.partition("://")[2].partition("/")
    _, _, query = rest.partition("?")
    named = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    if not password and (":" in network.rpartition("@")[0] or "password" in named or "sslpassword" in named):
        raise ValueError("must not contain a password; put the whole address behind env:NAME or file:PATH")
    if "#" in text or any(character.isspace() for character in text):
        raise ValueError('must not contain "#" or spaces')
