"""A secret of the configuration: written as a reference, resolved once, shown never.

`Secret` is deliberately no Struct: no encoder knows it, so a configuration cannot be written out with its secrets by accident.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

SECRET_FILE_BYTES_MAX = 65_536  # a key or a token; anything larger is the wrong file
MASK = "********"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MISTAKEN = re.compile(r"\$|(?i:env|file)\s*[:=]")  # "$NAME", "${NAME}", "ENV:NAME", "env =NAME": meant as references


class Secret:
    """`reference` may be shown: `env:NAME`, `file:PATH`, `literal`, or empty for none. `bool()` says whether there is a value."""

    __slots__ = ("_value", "reason", "reference")

    def __init__(self, reference: str, value: str = "", reason: str = "") -> None:
        self.reference = reference
        self.reason = reason  # why there is no value: "environment variable NAME is not set or empty"
        self._value = value

    def reveal(self) -> str:
        """The value. Raises LookupError, naming the reference, if there is none."""
        if not self._value:
            raise LookupError(self.reason or "no secret is configured")
        return self._value

    def digest(self) -> str:
        """For comparing two configurations; says nothing useful about a value that is hard to guess."""
        return blake2b(self._value.encode(), digest_size=16, person=b"gw-config").hexdigest() if self._value else ""

    @property
    def missing(self) -> bool:
        """A reference was given, and nothing stands behind it."""
        return bool(self.reference) and not self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.reference, self._value) == (other.reference, other._value)

    def __hash__(self) -> int:
        return hash((self.reference, self._value))

    def __repr__(self) -> str:
        state = "set" if self else "missing" if self.reference else "none"
        return f"Secret({self.reference or 'none'}, {state})"


def resolve(text: str, *, environ: Mapping[str, str], base: Path) -> Secret:
    """`env:NAME`, `file:PATH` (relative to `base`), a literal, or empty. What is missing gives a Secret without a value.

    Raises ValueError, never quoting `text`, for a reference that cannot be one or a value that cannot be sent in a header.
    """
    if not text:
        return Secret("")
    if text.startswith("env:"):
        name = text[4:]
        if not _VARIABLE.fullmatch(name):
            raise ValueError('"env:" must be followed by the name of an environment variable')
        secret = Secret(text, environ.get(name, "").strip(), f"environment variable {name} is not set or empty")
    elif text.startswith("file:"):
        secret = _from_file(text, base)
    elif _MISTAKEN.match(text):
        raise ValueError('is not expanded; write "env:NAME" or "file:PATH"')
    else:
        secret = Secret("literal", text)
    if secret and not (secret.reveal().isascii() and secret.reveal().isprintable()):
        raise ValueError("the secret contains a line break, a control character or one outside ASCII")
    return secret


def _from_file(text: str, base: Path) -> Secret:
    if not text[5:].strip():
        raise ValueError('"file:" must be followed by a path')
    path = base / text[5:]
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
        if len(content) > SECRET_FILE_BYTES_MAX:
            raise ValueError(f"{path} is larger than {SECRET_FILE_BYTES_MAX} bytes: not a secret")
        value = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8") from None  # the decoder's error carries the content
    except FileNotFoundError:
        return Secret(text, reason=f"file {path} does not exist")
    except OSError as error:
        return Secret(text, reason=f"file {path} cannot be read: {error.strerror}")
    return Secret(text, value, f"file {path} is empty")
