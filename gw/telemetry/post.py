"""One request outwards, and what its answer means: taken, refused for good, or to be tried again.

By OTLP's rules (specification, OTLP/HTTP): 429, 502, 503 and 504 are tried again, after `Retry-After` where it is given; any
other answer is final, so what it refuses is counted and left behind, or it would keep everything after it from going out.
"""

import asyncio
import gzip
import logging
import random
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from gw import __version__, clock
from gw.config.secret import Secret

TRY_AGAIN = (429, 502, 503, 504)
TRIES = 4  # before the caller is told; then a duty pauses, which its status shows
PAUSE_S = (0.5, 5.0)  # first and longest between two tries
PATIENCE_S = 120.0  # longest `Retry-After` that is waited for here
US_PER_S = 1_000_000
ANSWER_CHARS_SHOWN = 300

_log = logging.getLogger("gw.telemetry")
logging.getLogger("httpx").setLevel(logging.WARNING)  # it would say a line for every request


class Unavailable(OSError):
    """Nobody took it, now; later it may be different. The message is for people, without secrets."""


class Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


class Post:
    """Where one kind of thing is sent, over connections that are kept. `close` when done."""

    def __init__(self, headers: Mapping[str, str], *, timeout_s: float, ca_file: str = "", compress: bool = True) -> None:
        """Raises OSError for a `ca_file` that cannot be read."""
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._client = httpx.AsyncClient(timeout=timeout_s, verify=verify, follow_redirects=False, trust_env=True)
        self._headers = {"user-agent": f"gw/{__version__}", **headers}
        self._compress = compress

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Tries until it is taken or refused for good; raises Unavailable after TRIES of them."""
        headers = {**self._headers, **headers}
        if self._compress and "content-encoding" not in headers:
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers["content-encoding"] = "gzip"
        pause_s = PAUSE_S[0]
        for left in reversed(range(TRIES)):
            wait_s = 0.0
            try:
                response = await self._client.post(url, content=body, headers=headers)
            except httpx.HTTPError as error:
                problem = f"{url}: {error or type(error).__name__}"
            else:
                if response.status_code not in TRY_AGAIN:
                    return Answer(response.status_code, response.content)
                problem = f"{url}: answered {response.status_code}"
                wait_s = retry_after_s(response.headers.get("retry-after", ""))
            if not left:
                break
            await asyncio.sleep(min(wait_s, PATIENCE_S) or pause_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 2, PAUSE_S[1])
        raise Unavailable(problem)

    async def close(self) -> None:
        await self._client.aclose()


def revealed(pairs: Mapping[str, Secret]) -> dict[str, str]:
    """Names and values of a table of the configuration; one that is written as "" is empty."""
    return {name: value.reveal() if value else "" for name, value in pairs.items()}


def retry_after_s(text: str) -> float:
    """Of the header: seconds, or a date; 0 for none that can be read."""
    if text.isdecimal():
        return float(min(int(text), 86_400))
    try:
        return max(parsedate_to_datetime(text).timestamp() - clock.wall_us() / US_PER_S, 0.0)
    except (TypeError, ValueError):
        return 0.0


def shown(answer: Answer) -> str:
    """For a log: what was said, with nothing that a terminal would obey."""
    text = answer.body.decode("utf-8", "replace")[:ANSWER_CHARS_SHOWN]
    return f"{answer.status} {''.join(char if char.isprintable() else ' ' for char in text)}".rstrip()
