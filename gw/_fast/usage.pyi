from typing_extensions import Buffer

from gw._fast.fields import Fields

FIRST_TOKEN: int  # the first content_block_delta, or content_block_start with content
DONE: int  # message_stop
ERROR: int  # an error event
USAGE: int  # a message_delta with usage
OBSERVED_BYTES: int  # size of the observed words

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

    def reading(self) -> Fields:
        """What is known at this moment."""

def read_message(body: bytes, request_ttl: int = 0) -> Fields:
    """The reading of a whole response that is not a stream: a message or an error. Anything else is garbled."""

def observed_from(memory: Buffer) -> Fields:
    """What a tap, perhaps of a process now dead, wrote into `memory`; texts other than speed `fast` and geo `us` are empty,
    iterations unknown. ValueError if no tap wrote there."""
