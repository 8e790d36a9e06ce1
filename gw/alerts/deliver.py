"""Hands one notice to one channel, and says what came of it. Nothing here raises for what a channel does.

An answer that says "later" (429, 5xx, no answer) is tried again, longer and longer apart; one that says "never" (other 4xx) is
given up, for the same message would be refused again. Redirects are not followed: they would lead somewhere that nobody has
configured. What is kept of an answer is a line of its text, never a secret of ours: addresses are not in it.
"""

import asyncio
import logging
import random
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec

from gw import clock
from gw.alerts import render
from gw.alerts.notice import Notice
from gw.config.alert_model import Notify
from gw.domain.signing import SIGNATURE, signature
from gw.domain.text import printable

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 64_000
SAID_CHARS_MAX = 200
FIRST_S, LONGEST_S = 5, 900  # back-off
RETRY_AFTER_S_MAX = 3600
GIVE_UP_US = 24 * 3600 * 10**6
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
AGENT = {"user-agent": "gw-alerts"}

logging.getLogger("httpx").setLevel(logging.WARNING)  # below that it logs addresses, and some are secrets


class Outcome(NamedTuple):
    """`again`: it may be taken later, in `after_s` at the earliest (0: as we like)."""

    ok: bool
    again: bool
    said: str
    after_s: int = 0


Client = httpx.AsyncClient


def client_of(ca_file: str = "") -> Client:
    """One for all requests of a channel; closed by the caller."""
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    limits = httpx.Limits(max_connections=4, keepalive_expiry=5.0)
    return httpx.AsyncClient(
        timeout=TIMEOUT_S, follow_redirects=False, verify=verify, limits=limits, headers=AGENT, trust_env=True
    )


async def deliver(channel: Notify, notice: Notice) -> Outcome:
    missing = next((secret.reason for secret in (channel.url, channel.secret) if secret.missing), "")
    if missing:
        return Outcome(False, True, missing)
    if channel.kind == "email":
        return await asyncio.to_thread(_mail, channel, notice)
    try:
        url, body, headers = _request(channel, notice)
        async with asyncio.timeout(TIMEOUT_S * 2), client_of(channel.ca_file) as client:
            return await post(client, url, body, headers)
    except (TimeoutError, OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return Outcome(False, True, _words(error))


async def post(client: Client, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
    try:
        async with client.stream("POST", url, content=body, headers=headers) as response:
            text = await _text(response)
            return _judged(response, text)
    except httpx.HTTPError as error:
        return Outcome(False, True, _words(error))
    except httpx.InvalidURL:
        return Outcome(False, False, "its url is no URL")


def backoff_us(attempts: int, after_s: int = 0, chance: Callable[[], float] = random.random) -> int:
    """Until the next try, after so many: doubled each time, a third of it by chance, never sooner than asked for."""
    longest = min(FIRST_S << min(attempts, 20), LONGEST_S)
    return max(int(longest * (1 - chance() / 3) * 1e6), min(after_s, RETRY_AFTER_S_MAX) * 1_000_000)


def _request(channel: Notify, notice: Notice) -> tuple[str, bytes, dict[str, str]]:
    headers = {name: value.reveal() for name, value in channel.headers.items()}
    headers["content-type"] = "application/json"
    if channel.kind == "slack":
        return channel.url.reveal(), msgspec.json.encode(render.slack(notice)), headers
    if channel.kind == "pagerduty":
        url = channel.url.reveal() if channel.url else PAGERDUTY
        return url, msgspec.json.encode(render.pagerduty(notice, channel.secret.reveal())), headers
    body = render.webhook(notice)
    headers["idempotency-key"] = notice.id
    if channel.secret:
        headers[SIGNATURE] = signature(body, channel.secret.reveal(), clock.wall_us() // 1_000_000)
    return channel.url.reveal(), body, headers


async def _text(response: httpx.Response) -> str:
    """The beginning of the answer: what comes after a few KB is not read."""
    found = b""
    async for part in response.aiter_raw(8192):
        found += part
        if len(found) >= ANSWER_BYTES_MAX:
            break
    return found[:ANSWER_BYTES_MAX].decode("utf-8", "replace")


def _judged(response: httpx.Response, text: str) -> Outcome:
    status = response.status_code
    line = printable(" ".join(text.split()), SAID_CHARS_MAX)
    said = f"HTTP {status}{': ' + line if line else ''}"
    if 200 <= status < 300:
        return Outcome(True, False, said)
    if 300 <= status < 400:
        return Outcome(False, False, f"HTTP {status}: a redirect, which is not followed; configure where it leads")
    return Outcome(False, status in (408, 425, 429) or status >= 500, said, _retry_after(response))


def _retry_after(response: httpx.Response) -> int:
    text = response.headers.get("retry-after", "")
    return min(int(text), RETRY_AFTER_S_MAX) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


# --- mail -----------------------------------------------------------------------------------------------------------------


def _mail(channel: Notify, notice: Notice) -> Outcome:
    """In a thread."""
    parts = urlsplit(channel.url.reveal())
    recipients = [one.strip() for one in channel.to.split(",") if one.strip()]
    try:
        message = render.email(notice, channel.from_, recipients)
        server = _smtp(channel, parts.scheme, parts.hostname or "", parts.port)
        try:
            refused = server.send_message(message)
        finally:
            with suppress(smtplib.SMTPException, OSError):  # the mail is taken, or not, whatever the server says to the farewell
                server.quit()
            server.close()
    except smtplib.SMTPResponseException as error:
        said = printable(f"SMTP {error.smtp_code}: {_decoded(error.smtp_error)}", SAID_CHARS_MAX)
        return Outcome(False, error.smtp_code < 500, said)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        said = ", ".join(f"{one}: {code} {_decoded(words)}" for one, (code, words) in error.recipients.items())
        return Outcome(False, any(code < 500 for code in codes), printable(f"SMTP: {said}", SAID_CHARS_MAX))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        final = isinstance(error, smtplib.SMTPNotSupportedError)
        return Outcome(False, not final, _words(error))
    if refused:
        return Outcome(True, False, f"taken, but not for {printable(', '.join(refused), SAID_CHARS_MAX)}")
    return Outcome(True, False, f"taken for {len(recipients)} recipient{'s' if len(recipients) > 1 else ''}")


def _smtp(channel: Notify, scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=channel.ca_file or None)
    if scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, port or 25, timeout=TIMEOUT_S)
    try:
        if scheme == "smtp" and channel.starttls:
            server.starttls(context=context)
        if channel.user:
            server.login(channel.user, channel.secret.reveal())
    except BaseException:
        server.close()
        raise
    return server


def _decoded(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return " ".join(text.split())


def _words(error: Exception) -> str:
    """Its kind and its words, without what an address may hold."""
    return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, SAID_CHARS_MAX)
