from typing_extensions import Buffer

from gw._fast.fields import EntryFields, Fields

FIRST_TOKEN: int  # the first content_block_delta, or content_block_start with content
DONE: int  # message_stop
ERROR: int  # an error event
USAGE: int  # a message_delta with usage
OBSERVED_BYTES: int  # size of the observed words

class Found:
    """What was found in a response; the fields mean what gw.domain.usage says of those of Usage and Reading."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    thinking_tokens: int
    web_search_requests: int
    web_fetch_requests: int
    code_execution_requests: int
    service_tier: str
    speed: str
    inference_geo: str
    iterations: tuple[EntryFields, ...]
    ttl_assumed: bool
    started: bool
    finished: bool
    final_usage: bool
    model: str
    message_id: str
    stop_reason: str
    content_empty: bool
    text_bytes: int
    error_type: str
    garbled: bool

    def cap(self, most: int) -> bool:
        """Cuts the counts down to `most`, one less than a power of two. True if one was above: then nothing here is taken for
        the last word (`final_usage`), and `garbled` is set."""

    def fields(self) -> Fields:
        """All of it as a tuple, in this order."""

class Tap:
    """Reads usage from an Anthropic event stream fed in any split; never raises on what it is fed, keeps none of it."""

    def __init__(self, request_ttl: int = 0, memory: Buffer | None = None) -> None:
        """`request_ttl`: minutes, 5 or 60 if all cache_control of the request agree, else 0. `memory`: writable, at least
        OBSERVED_BYTES, 8-byte aligned, held until the tap is gone; the observed words are written there. ValueError."""

    def feed(self, chunk: bytes) -> int:
        """Reads the next bytes of the response; returns the flags FIRST_TOKEN, DONE, ERROR, USAGE this chunk brought."""

    @property
    def at_boundary(self) -> bool:
        """What was fed ends with a blank line, or nothing was fed: an event may be inserted here."""

    @property
    def in_block(self) -> bool:
        """A content block has started and not stopped."""

    @property
    def text_bytes(self) -> int:
        """UTF-8 bytes of all text, thinking and partial_json of complete deltas, unescaped. Exact, except that a surrogate
        pair written as two escapes counts 6 instead of 4: never too low."""

    def found(self) -> Found:
        """What is known at this moment."""

    def reading(self) -> Fields:
        """The same as a tuple."""

def found_in(body: bytes, request_ttl: int) -> Found:
    """What a whole response that is not a stream says: a message or an error. Anything else is garbled."""

def read_message(body: bytes, request_ttl: int = 0) -> Fields:
    """The same as a tuple."""

def observed_from(memory: Buffer) -> Fields:
    """What a tap, perhaps of a process now dead, wrote into `memory`; texts other than speed `fast` and geo `us` are empty,
    iterations unknown. ValueError if no tap wrote there."""
