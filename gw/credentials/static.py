"""API keys: a header line that never changes."""

from gw.credentials.credential import CredentialError

# How a key is sent -> the lines around it.
LINES = {
    "bearer": b"authorization: Bearer %b\r\n",
    "x-api-key": b"x-api-key: %b\r\n",
    "api-key": b"api-key: %b\r\n",
    "x-goog-api-key": b"x-goog-api-key: %b\r\n",
    "azure": b"api-key: %b\r\nx-api-key: %b\r\n",  # the first for OpenAI's models, the second for Claude
    "none": b"",
}


def key_lines(auth: str, secret: str) -> bytes:
    """`auth`: a key of LINES."""
    lines = LINES[auth]
    key = secret.encode("latin-1")
    return lines % ((key,) * lines.count(b"%b"))


class Key:
    """Always usable. No secret at all, where an upstream asks for none, is a key with no line."""

    usable = True

    def __init__(self, auth: str, secret: str) -> None:
        self._head = key_lines(auth, secret) if secret else b""

    async def ready(self) -> None:
        return None

    def head(self) -> bytes | None:
        return self._head

    def sign(self, method: bytes, url: str, head: bytes, body: bytes) -> bytes:
        return self._head


class Missing:
    """Instead of a credential that cannot be had: says why, whoever asks."""

    usable = False

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def ready(self) -> None:
        raise CredentialError(self._reason, permanent=True)

    def head(self) -> bytes | None:
        raise CredentialError(self._reason, permanent=True)

    def sign(self, method: bytes, url: str, head: bytes, body: bytes) -> bytes:
        raise CredentialError(self._reason, permanent=True)
