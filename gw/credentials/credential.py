"""What authorises requests to an upstream, whatever it is: an API key, a token that is renewed, a signature for each request.

Whoever sends asks `usable` first, awaits `ready()` if it is not, and then takes `head()`, or `sign(...)` where there is no head.
Nothing here ever waits on the event loop, and no message or repr holds a secret.
"""

from typing import Protocol


class CredentialError(Exception):
    """There is no credential to send; the message says what to set. `permanent`: trying again changes nothing."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class Credential(Protocol):
    @property
    def usable(self) -> bool:
        """head() or sign() may be called now, and nothing is due: the one question of every call."""
        ...

    async def ready(self) -> None:
        """Starts what is due. Waits for it only if there is nothing to send without it; then raises CredentialError."""
        ...

    def head(self) -> bytes | None:
        """Whole header lines; None: each request must be signed. Raises CredentialError before `ready`."""
        ...

    def sign(self, method: bytes, url: str, head: bytes, body: bytes) -> bytes:
        """The lines to add to `head` for this request. `url`: absolute, as it is sent. Raises CredentialError before `ready`."""
        ...
