"""The pepper: the gateway's own secret, which keys all stored digests. With the ledger alone no guess can be tested."""

import os
import secrets
from pathlib import Path

PEPPER_FILE = "pepper"
PEPPER_BYTES = 32


def load_pepper(state_dir: Path) -> bytes:
    """32 random bytes, made at the first call; two processes that make them at once get the same. Raises OSError."""
    path = state_dir / PEPPER_FILE
    if not path.exists():
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = state_dir / f".{PEPPER_FILE}.{os.getpid()}.{secrets.token_hex(4)}.partial"
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, secrets.token_bytes(PEPPER_BYTES))
            os.fsync(fd)
            os.link(partial, path)  # fails if it is there already: the first one wins
        except FileExistsError:
            pass
        finally:
            os.close(fd)
            partial.unlink()
    pepper = path.read_bytes()
    if len(pepper) != PEPPER_BYTES:
        raise OSError(f"{path} is damaged: {len(pepper)} bytes, not {PEPPER_BYTES}; restore it, or no key will be recognised")
    return pepper
