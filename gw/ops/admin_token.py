"""The admin token: who shows it may read and change everything through the control API.

It is GW_ADMIN_TOKEN where that is set. Else it is made at the first start and kept in the state directory, readable by its
owner alone; `gw serve` prints it then, and never again. To replace it, remove the file and start again.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

VARIABLE = "GW_ADMIN_TOKEN"
TOKEN_FILE = "admin.token"  # noqa: S105 - a file's name
PREFIX = "gwa_"
VIRTUAL_KEY_PREFIX = "gwk_"
RANDOM_BYTES = 32
CHARS_MIN = 20  # of one that somebody chose: shorter ones can be guessed
CHARS_MAX = 512


class AdminToken(NamedTuple):
    text: str
    made: bool  # just now: this is the time to show it


def load_admin_token(state_dir: Path, environ: Mapping[str, str] = os.environ) -> AdminToken:
    """The token in force; two processes that make it at once get the same. Raises ValueError, never quoting it, for one that
    cannot be used, and OSError."""
    chosen = environ.get(VARIABLE, "").strip()
    if chosen:
        return AdminToken(_checked(chosen, VARIABLE), made=False)
    path = state_dir / TOKEN_FILE
    made = not path.exists() and _make(path)
    return AdminToken(_checked(path.read_text("utf-8").strip(), str(path)), made)


def _make(path: Path) -> bool:
    """False: another process was quicker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{TOKEN_FILE}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{PREFIX}{secrets.token_urlsafe(RANDOM_BYTES)}\n".encode())
        os.fsync(fd)
        os.link(partial, path)  # fails if it is there already: the first one wins
    except FileExistsError:
        return False
    finally:
        os.close(fd)
        partial.unlink()
    return True


def _checked(text: str, where: str) -> str:
    if not CHARS_MIN <= len(text) <= CHARS_MAX:
        raise ValueError(f"{where}: an admin token has {CHARS_MIN} to {CHARS_MAX} characters, this one has {len(text)}")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(f"{where}: an admin token has no blanks, control characters or characters outside ASCII")
    if text.startswith(VIRTUAL_KEY_PREFIX):
        raise ValueError(f"{where}: that is a virtual key; an admin token must be a secret of its own")
    return text
