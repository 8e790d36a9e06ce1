"""What may stand where the configuration asks for the address of another machine."""

import re
from urllib.parse import urlsplit

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
