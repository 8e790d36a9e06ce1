"""The one exception of this package: what went wrong between gw and an upstream, in words a ledger row can hold."""

from typing import Literal

ErrorKind = Literal[
    "connect",  # name not found, refused, unreachable
    "connect_timeout",  # no connection in time, or no place in the pool in time (`saturated`)
    "tls",  # handshake or certificate
    "proxy",  # the proxy was not reached, or refused, or did not speak HTTP
    "first_byte_timeout",  # request sent, no complete response head in time
    "idle_timeout",  # silence in the middle of a body, of the request's or of the response's
    "total_timeout",
    "reset",  # the connection ended before the response did
    "protocol",  # the response is not HTTP/1.1 as this client accepts it
    "closed",  # ended on this side: aborted, or the pool was closed
]

_WORTH_ANOTHER_TRY: frozenset[ErrorKind] = frozenset(
    {"connect", "connect_timeout", "proxy", "first_byte_timeout", "idle_timeout", "reset"}
)


class UpstreamError(Exception):
    """Raised by `Pool.request` (nothing was delivered) and by a `Response`'s reads (the head was).

    `detail` is safe to log and to show: no credential, no body. `sent`: a byte of the request was handed to a socket,
    so the upstream may have acted on it. `received`: a byte of the response arrived. `delivered`: the caller had the
    response head. `retryable`: nothing was delivered and another attempt may go better; whether a request may run
    twice is for the caller to decide, by `sent`. `saturated`: the limit of connections was the cause.
    """

    def __init__(
        self,
        kind: ErrorKind,
        detail: str,
        *,
        sent: bool = False,
        received: bool = False,
        delivered: bool = False,
        saturated: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: ErrorKind = kind
        self.detail = detail
        self.sent = sent
        self.received = received
        self.delivered = delivered
        self.saturated = saturated

    @property
    def retryable(self) -> bool:
        return not self.delivered and self.kind in _WORTH_ANOTHER_TRY
