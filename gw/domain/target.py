"""Addresses of targets: where exports may go. Pure."""

import re
from urllib.parse import unquote, urlsplit

SCHEMES = ("file", "s3", "gs", "az")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_TEMPLATE = re.compile(r"[\w.=@+-]+(?:/[\w.=@+-]+)*")
FIELDS = ("what", "name", "date", "hour")


def check_target(text: str) -> str:
    """The address. Raises ValueError, in words that follow the name of a key, without quoting the address."""
    scheme, found, rest = text.partition("://")
    if not found or scheme not in SCHEMES:
        raise ValueError("must begin with file:///, s3://, gs:// or az://")
    if "?" in text or "#" in text or not text.isprintable():
        raise ValueError('must not contain "?", "#" or control characters')
    if scheme == "file":
        if not rest.startswith("/") or rest == "/":
            raise ValueError("must be file:// and the whole path of a folder")
        return text
    parts = urlsplit(text)
    if parts.username is not None or not _BUCKET.fullmatch(parts.netloc):
        raise ValueError("must name a bucket and nothing else before the first /; credentials stand in `credentials`")
    if any(part in ("", ".", "..") for part in parts.path.strip("/").split("/") if parts.path.strip("/")):
        raise ValueError('must not have empty parts, "." or ".." in its path')
    return text


def folder_of_target(text: str) -> str:
    """`file:///srv/out` -> `/srv/out`."""
    return unquote(text.removeprefix("file://"))


def check_template(text: str) -> None:
    """Folders with {what}, {name}, {date}, {hour}. Raises ValueError."""
    filled = text
    for field in FIELDS:
        filled = filled.replace(f"{{{field}}}", "x")
    if "{" in filled or "}" in filled:
        raise ValueError(f"knows only {', '.join(f'{{{field}}}' for field in FIELDS)}")
    if text and (not _TEMPLATE.fullmatch(filled) or ".." in filled.split("/") or "." in filled.split("/")):
        raise ValueError("must be folders of letters, digits and . = @ + _ -, with one / between them")
