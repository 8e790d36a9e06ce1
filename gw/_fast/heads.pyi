from typing import Any

Headers = list[tuple[bytes, bytes]]

class Told:
    """What a request's headers say for its record: printable and bounded, "" if absent."""

    known: Any
    """For whoever wants to remember something with them: a client sends the same ones with many calls."""

    @property
    def session_id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def parent_agent_id(self) -> str: ...
    @property
    def prompt_id(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def tags(self) -> str: ...
    @property
    def client(self) -> str:
        """The first word of its User-Agent."""

class Sent:
    """What gw reads of the client's request headers; bytes as sent without blanks around, empty if absent."""

    @property
    def head(self) -> bytes:
        """The header lines for the upstream, each ended by CRLF, without credentials."""

    @property
    def credentials(self) -> bytes:
        """The client's own credential lines."""

    @property
    def gw_key(self) -> bytes: ...
    @property
    def api_key(self) -> bytes: ...
    @property
    def authorization(self) -> bytes: ...
    @property
    def content_encoding(self) -> bytes:
        """Lower-case."""

    @property
    def content_length(self) -> int:
        """-1: not declared, or not a number."""

    @property
    def values(self) -> dict[bytes, bytes]:
        """The attribution headers that were present. Not to be changed: calls with the same headers share them."""

    @property
    def told(self) -> Told:
        """The same object for calls with the same headers, as long as it is remembered."""

class Answer:
    """What gw reads of the upstream's response headers."""

    @property
    def headers(self) -> Headers:
        """For the client; may be added to."""

    @property
    def request_id(self) -> str:
        """The upstream's own."""

    @property
    def content_type(self) -> bytes:
        """Lower-case."""

    @property
    def encoding(self) -> bytes:
        """Lower-case; empty: identity."""

    @property
    def streams(self) -> bool:
        """It is an event stream."""

def read_request(headers: Headers) -> Sent:
    """One pass over the client's headers (names are lower-case in ASGI)."""

def told_by(values: dict[bytes, bytes]) -> Told: ...

def to_client(upstream: Headers, call_id: bytes, own_account: bool) -> Answer:
    """One pass over the upstream's headers. `own_account`: they describe the client's own account, not the company's."""

def text_of(value: bytes, limit: int = 128) -> str:
    """A header value as bounded printable text."""

def word_of(value: bytes) -> str:
    """The same up to its first blank."""

def shown(text: str, limit: int) -> str:
    """As gw.domain.text.printable makes it."""

def numbered(prefix: str, serial: int) -> str:
    """An id: the number in hexadecimal, eight digits at least, behind a prefix in ASCII. Raises ValueError."""

def is_clean_head(head: bytes) -> bool:
    """Whether a block is header lines and nothing else, each ended by CRLF, and none of them Host or one of those by which
    HTTP/1.1 finds the end of a message."""

def amount_text(amount: int, decimals: int) -> bytes:
    """43094 with 6 decimals -> `0.043094`, without trailing zeros. `amount` is 0 .. 2**63 - 1 (OverflowError, ValueError)."""
