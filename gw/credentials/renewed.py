"""A value that ends and is fetched anew before that, by code that blocks: in a thread, once for all who wait.

While a value holds, nobody waits: what is due is fetched beside the calls. A failure then is kept silent, and tried again
after RETRY_S; only when nothing holds any more do calls fail, all of them with the last failure for RETRY_S,
and nobody waits longer than WAIT_S for a fetch that hangs.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from gw import clock
from gw.credentials.credential import CredentialError

T = TypeVar("T")
S = 1_000_000_000
RETRY_S = 2
WAIT_S = 30  # for a fetch that nobody can go on without; what is fetched later serves later calls


class Fetched(NamedTuple, Generic[T]):
    value: T
    renew_s: float  # from now on: when a new one is fetched
    ends_s: float  # from now on: when it is worth nothing any more


class Renewed(Generic[T]):
    """`fetch` runs in a thread, and raises CredentialError only."""

    def __init__(self, fetch: Callable[[], Fetched[T]]) -> None:
        self._fetch = fetch
        self._value: T | None = None
        self._due_ns = self._ends_ns = self._began_ns = 0
        self._failure: CredentialError | None = None
        self._running: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        return clock.mono_ns() < self._due_ns and self._value is not None

    @property
    def value(self) -> T:
        """Raises CredentialError if there is none that holds."""
        if self._value is None or clock.mono_ns() >= self._ends_ns:
            raise self._failure or CredentialError("the credential was not fetched yet")
        return self._value

    async def ready(self) -> None:
        now_ns = clock.mono_ns()
        if now_ns >= self._due_ns:
            self._start()
        if self._value is not None and now_ns < self._ends_ns:
            return
        if self._running is not None:
            try:
                async with asyncio.timeout(max(WAIT_S - (now_ns - self._began_ns) / S, WAIT_S / 30)):
                    await asyncio.shield(self._running)
            except TimeoutError:
                raise CredentialError(f"fetching the credential takes longer than {WAIT_S} s") from None
        self.value  # noqa: B018 - raises what the fetch failed with

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._running is not None and self._running.get_loop() is loop:
            return
        future: asyncio.Future[Fetched[T] | CredentialError] = loop.run_in_executor(None, self._fetched)
        done: asyncio.Future[None] = loop.create_future()
        self._began_ns = clock.mono_ns()
        future.add_done_callback(lambda found: self._take(found, done))
        self._running = done

    def _fetched(self) -> Fetched[T] | CredentialError:
        """In the thread."""
        try:
            return self._fetch()
        except CredentialError as error:
            return error

    def _take(self, future: "asyncio.Future[Fetched[T] | CredentialError]", done: "asyncio.Future[None]") -> None:
        """Back on the loop. A bug in `fetch` goes to who waits: it costs their calls, and nobody is left waiting."""
        now_ns = clock.mono_ns()
        self._running = None
        bug = None if future.cancelled() else future.exception()
        if bug is not None:
            found: Fetched[T] | CredentialError = CredentialError(f"fetching it failed ({type(bug).__name__})")
        else:
            found = CredentialError("gw is shutting down") if future.cancelled() else future.result()
        if isinstance(found, CredentialError):
            self._failure = found
            self._due_ns = now_ns + RETRY_S * S
        else:
            self._value, self._failure = found.value, None
            self._due_ns = now_ns + int(found.renew_s * S)
            self._ends_ns = now_ns + int(found.ends_s * S)
        if not done.done():
            done.set_result(None)
        if bug is not None:
            done.get_loop().call_exception_handler({"message": "fetching a credential failed", "exception": bug})


class Bearer:
    """A token that is renewed, as a header line."""

    def __init__(self, fetch: Callable[[], Fetched[str]]) -> None:
        def lines() -> Fetched[bytes]:
            token, renew_s, ends_s = fetch()
            return Fetched(b"authorization: Bearer %b\r\n" % token.encode("latin-1"), renew_s, ends_s)

        self._token = Renewed(lines)

    @property
    def usable(self) -> bool:
        return self._token.usable

    async def ready(self) -> None:
        await self._token.ready()

    def head(self) -> bytes | None:
        return self._token.value

    def sign(self, method: bytes, url: str, head: bytes, body: bytes) -> bytes:
        return self._token.value


def lifetime(left_s: float, early_s: float) -> tuple[float, float]:
    """(renew_s, ends_s) of what holds for `left_s` more: renewed `early_s` before, or at half of a short life."""
    left_s = max(left_s, 0.0)
    return max(left_s - early_s, left_s / 2), left_s


def scrubbed(text: str, *secrets: str) -> str:
    """One line, without these: foreign messages may hold anything."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "********")
    return " ".join(text.split())[:400]
