"""What each fake dialect has, and what they share: rates, server-sent events, JSON."""

import base64
from typing import NamedTuple, Protocol

from gw.demo.exchange import Request
from tests.support.fakes.words import Heard, Json, Said, Tokens, Trouble, dumped


class Rates(NamedTuple):
    """Pico-USD per token, as the providers' price lists have them in November 2026, written out by hand."""

    fresh: int
    output: int
    read: int
    written: int


RATES: dict[str, Rates] = {
    "claude-opus-5-5": Rates(4_000_000, 20_000_000, 200_000, 5_000_000),
    "claude-sonnet-4-5": Rates(3_000_000, 15_000_000, 300_000, 3_750_000),
    "claude-haiku-4-5": Rates(1_000_000, 5_000_000, 100_000, 1_250_000),
    "gpt-5.6": Rates(4_000_000, 20_000_000, 400_000, 5_000_000),
    "deepseek-v4-pro": Rates(660_000, 1_980_000, 22_000, 660_000),
    "gemini-3-pro-preview": Rates(2_000_000, 12_000_000, 200_000, 2_000_000),
    "command-a-reasoning-08-2025": Rates(2_500_000, 10_000_000, 2_500_000, 2_500_000),
    "amazon.nova-pro-v1:0": Rates(800_000, 3_200_000, 200_000, 800_000),
    "text-embedding-3-small": Rates(20_000, 0, 20_000, 20_000),
    "gemini-embedding-001": Rates(150_000, 0, 150_000, 150_000),
    "embed-v4.0": Rates(120_000, 0, 120_000, 120_000),
}


class Spoken(NamedTuple):
    """An answer in a dialect: `pieces` are written one by one. `status`: of a trouble, where the provider has another than the
    scene says; 0 else."""

    content_type: str
    pieces: list[bytes]
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 0


class Speaker(Protocol):
    """One dialect of one provider, by hand."""

    name: str

    def hear(self, request: Request) -> Heard:
        """Raises Wrong."""
        ...

    def seal(self, said: Said, tag: str) -> str:
        """What has to come back of the thought in the next turn."""
        ...

    def usage(self, tokens: Tokens) -> Json:
        """In the provider's own words."""
        ...

    def cost(self, model: str, usage: Json) -> int:
        """Pico-USD, from the provider's own words."""
        ...

    def say(self, heard: Heard, said: Said, tokens: Tokens, tag: str) -> Spoken: ...

    def trouble(self, trouble: Trouble, message: str) -> Spoken: ...


def rates_of(model: str) -> Rates:
    """Raises KeyError."""
    return next((rates for name, rates in RATES.items() if name in model), None) or RATES[model]


def times(rates: Rates, fresh: int, output: int, read: int = 0, written: int = 0) -> int:
    return fresh * rates.fresh + output * rates.output + read * rates.read + written * rates.written


def sealed(name: str, tag: str) -> str:
    """Base64, as the providers' own seals are."""
    return base64.b64encode(f"sealed by {name} for {tag}".encode()).decode()


def sse(value: object, event: str = "") -> bytes:
    head = b"event: %b\n" % event.encode() if event else b""
    return head + b"data: %b\n\n" % dumped(value)


def texts_of(content: object, kinds: tuple[str, ...] = ("text",)) -> list[str]:
    """Of a content that is a text, or a list of parts with a type."""
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or [] if isinstance(part, dict) and part.get("type") in kinds]  # type: ignore[attr-defined]


WHOLE = "application/json"
SSE = "text/event-stream"
