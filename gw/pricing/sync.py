"""Keeping the price data fresh: fetch, judge, keep. A failed or suspicious sync changes nothing.

State: `<state_dir>/prices` with `source.json` and the data file it names, as the embedded snapshot has. A data file's name
says its content, and it is never rewritten. It is written and synced to disk first, then `source.json` is replaced in one
step, so that a reader sees the old pair or the new one; the data file before stays for those who are about to load it.
"""

import asyncio
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from gw import clock
from gw.domain.price import PriceCard, Rates
from gw.pricing.catalog import Catalog, Model, card_at, decode, utc_at
from gw.pricing.overlay import load_overlay
from gw.pricing.source import SNAPSHOT, Source, read_body, read_source

PRICES = "prices"  # in the state directory
BODY_BYTES_MAX = 32 << 20  # the data set has about 2 MiB
CHUNK_BYTES = 1 << 16
BAD_PERCENT_MAX = 5
CHANGE_MAX = 3  # a price that changes by a larger factor, up or down, is suspicious


class SyncError(Exception):
    """The data could not be fetched; try again later."""


class Fetched(Struct, frozen=True):
    """`body` is None when the server says that the data of `etag` are still current."""

    body: bytes | None
    etag: str = ""


class Synced(Struct, frozen=True):
    """What one sync did. `reasons` say why data were rejected."""

    outcome: Literal["updated", "unchanged", "rejected"]
    reasons: tuple[str, ...] = ()
    label: str = ""


async def fetch(url: str, etag: str, timeout_s: float) -> Fetched:
    """GET `url` unless it still has `etag`. The proxy variables of the environment apply. Raises SyncError."""
    return await asyncio.to_thread(_fetch, url, etag, timeout_s)


async def sync_once(url: str, state_dir: Path, providers: Sequence[str], *, timeout_s: float = 60) -> Synced:
    """Fetch, judge against the data in use, keep if good. `providers`: gw's names of those that upstreams use.
    Raises SyncError when nothing could be fetched, OSError when it could not be stored."""
    directory = state_dir / PRICES
    in_use_at = directory if await asyncio.to_thread(best_file, state_dir) else SNAPSHOT
    source = read_source(in_use_at)
    fetched = await fetch(url, source.etag, timeout_s)
    if fetched.body is None:
        return Synced("unchanged", label=source.label)
    return await asyncio.to_thread(_take, fetched, url, directory, in_use_at, providers)


def best_file(state_dir: Path) -> Path | None:
    """The synced data file if it is whole and not older than the embedded snapshot, else None: the embedded one is best.
    Cheap when nothing has changed; a new file has a new name."""
    directory = state_dir / PRICES
    try:
        source = read_source(directory)
        if date.fromisoformat(source.date) < date.fromisoformat(read_source(SNAPSHOT).date):
            return None
        path = directory / source.file
        state = path.stat()
        return path if _is_whole(directory, source, state.st_mtime_ns, state.st_size) else None
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=4)
def _is_whole(directory: Path, source: Source, _mtime_ns: int, _size: int) -> bool:
    """The last two say which state of the file was checked."""
    try:
        decode(read_body(directory, source), source.label)
    except (OSError, ValueError):
        return False
    return True


def judge(current: Catalog, candidate: Catalog, catalog_ids: Sequence[str], at_us: int) -> list[str]:
    """Why `candidate` must not replace `current`; empty if it may. Pure.

    Each known model of `catalog_ids` is looked up in both by its id, as a call would be, so a new row that catches the
    calls of another counts as a change of the other. At most 5 % may vanish or change any rate by more than 3x.
    """
    known = 0
    bad: list[str] = []
    for catalog_id in catalog_ids:
        provider = current.providers.get(catalog_id)
        for model in provider.models if provider else ():
            before = _card(current, catalog_id, model, at_us)
            if before is None:
                continue
            known += 1
            after = _card(candidate, catalog_id, model, at_us)
            if after is None:
                bad.append(f"{catalog_id}/{model.id} has vanished")
            elif change := _change(before, after):
                bad.append(f"{catalog_id}/{model.id}: {change}")
    if len(bad) * 100 <= BAD_PERCENT_MAX * known:
        return []
    return [f"{len(bad)} of {known} models vanished or changed more than {CHANGE_MAX}x", *bad[:10]]


def store(directory: Path, body: bytes, source: Source) -> None:
    """Make `body` the data of `directory`, atomically; all data files but this and the one before are removed. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        before = read_source(directory).file
    except (OSError, ValueError):
        before = ""
    _write(directory / source.file, body)
    _write(directory / "source.json", msgspec.json.format(msgspec.json.encode(source), indent=1) + b"\n")
    for old in directory.glob("genai-prices-*.json"):
        if old.name not in (source.file, before):
            old.unlink(missing_ok=True)


def _take(fetched: Fetched, url: str, directory: Path, in_use_at: Path, providers: Sequence[str]) -> Synced:
    body = fetched.body or b""
    digest = sha256(body).hexdigest()
    source = read_source(in_use_at)
    if digest == source.sha256:
        return Synced("unchanged", label=source.label)
    now_us = clock.wall_us()
    day = utc_at(now_us).date().isoformat()
    label = f"genai-prices-{day}-{digest[:8]}"
    current = decode(read_body(in_use_at, source), source.label)
    overlay = load_overlay()
    in_use: dict[str, None] = {}
    for provider in providers:
        rules = overlay.rules(provider)
        in_use.update(dict.fromkeys(("anthropic", *rules.catalogs) if rules.claude else rules.catalogs))
    try:
        candidate = decode(body, label)
        reasons = judge(current, candidate, tuple(in_use), now_us)
    except ValueError as error:
        return Synced("rejected", (str(error),))
    if reasons:
        return Synced("rejected", tuple(reasons))
    store(
        directory,
        body,
        Source(
            file=f"{label}.json",
            label=label,
            date=day,
            sha256=digest,
            source=url,
            licence=source.licence,
            etag=fetched.etag,
        ),
    )
    return Synced("updated", label=label)


def _fetch(url: str, etag: str, timeout_s: float) -> Fetched:
    """Blocking. `timeout_s` bounds each wait for the network and the transfer as a whole."""
    if not url.startswith(("https://", "http://")):
        raise SyncError(f"not an http(s) URL: {url!r}")
    headers = {"user-agent": "gw", "accept": "application/json"}
    if etag:
        headers["if-none-match"] = etag
    deadline_ns = clock.mono_ns() + int(timeout_s * 1_000_000_000)
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked above
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            chunks, size = [], 0
            while chunk := answer.read(CHUNK_BYTES):
                chunks.append(chunk)
                size += len(chunk)
                if size > BODY_BYTES_MAX:
                    raise SyncError(f"{url}: more than {BODY_BYTES_MAX} bytes")
                if clock.mono_ns() > deadline_ns:
                    raise SyncError(f"{url}: not complete after {timeout_s:g} s")
            length = answer.headers.get("content-length", "")
            if length.isdigit() and int(length) != size:
                raise SyncError(f"{url}: {size} of {length} bytes, then the connection closed")
            return Fetched(b"".join(chunks), answer.headers.get("etag", ""))
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 304 and etag:
                return Fetched(None, etag)
        raise SyncError(f"{url}: status {error.code}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise SyncError(f"{url}: {error}") from error


def _card(catalog: Catalog, catalog_id: str, model: Model, at_us: int) -> PriceCard | None:
    found = catalog.find(catalog_id, model.id)
    return card_at(found[1].id, found[1], utc_at(at_us)) if found else None


def _change(before: PriceCard, after: PriceCard) -> str:
    """The first rate that changed too much, in words; prompts of ordinary and of great length are compared."""
    for prompt in (0, 10**9):
        old, new = before.standard.at(prompt), after.standard.at(prompt)
        for name in Rates.__struct_fields__:
            low, high = sorted((getattr(old, name), getattr(new, name)))
            if high > CHANGE_MAX * low:
                return f"{name} from {getattr(old, name)} to {getattr(new, name)} pico-USD per token"
    return ""


def _write(path: Path, body: bytes) -> None:
    """Write, sync, and replace in one step."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
