"""Keeping prices fresh: only good data replace good data, and a failed sync changes nothing."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gw.pricing import sync
from gw.pricing.book import PriceBook
from gw.pricing.catalog import decode
from gw.pricing.source import SNAPSHOT, Source, read_body, read_source
from gw.pricing.sync import SyncError, best_file, fetch, judge, store, sync_once

from .conftest import NOW

EMBEDDED = read_body(SNAPSHOT, read_source(SNAPSHOT))


@contextmanager
def server(answers):
    """Serves one (status, headers, body) after the other and notes the requests' headers."""
    seen = []
    answers = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers.items()))
            status, headers, body = answers.pop(0)
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "content-length" not in headers:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/data.json", seen
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def changed(edit):
    """The embedded data after `edit(provider id, model)`, which may return None to drop the model."""
    providers = json.loads(EMBEDDED)
    for provider in providers:
        provider["models"] = [new for model in provider["models"] if (new := edit(provider["id"], model)) is not None]
    return json.dumps(providers).encode()


def one_cent_cheaper(provider, model):
    if provider == "anthropic" and model["id"] == "claude-opus-5-5":
        model["prices"]["input_mtok"] = 3.99
    return model


FRESH = changed(one_cent_cheaper)


async def test_good_data_are_kept_and_used(tmp_path):
    with server([(200, {"etag": '"v1"'}, FRESH)]) as (url, seen):
        done = await sync_once(url, tmp_path, ["anthropic"])
    assert done.outcome == "updated"
    assert "If-None-Match" not in seen[0]
    path = best_file(tmp_path)
    assert path.read_bytes() == FRESH
    book = PriceBook.load(path)
    assert book.label.startswith(done.label)
    from gw.domain.usage import Reading, Usage

    reading = Reading(usage=Usage(input_tokens=100))
    priced = book.price(provider="anthropic", upstream="", region="", model="claude-opus-5-5", reading=reading, at_us=NOW)
    assert priced.billed_pusd == 399_000_000
    assert priced.price_version.startswith(f"{done.label}+overlay-")


async def test_known_etag_is_sent_and_304_keeps_the_data(tmp_path):
    with server([(200, {"etag": '"v1"'}, FRESH), (304, {}, b"")]) as (url, seen):
        await sync_once(url, tmp_path, ["anthropic"])
        before = best_file(tmp_path)
        done = await sync_once(url, tmp_path, ["anthropic"])
    assert seen[1]["If-None-Match"] == '"v1"'
    assert done.outcome == "unchanged"
    assert best_file(tmp_path) == before


async def test_same_data_without_etag_are_unchanged(tmp_path):
    with server([(200, {}, EMBEDDED)]) as (url, _):
        done = await sync_once(url, tmp_path, ["anthropic"])
    assert done.outcome == "unchanged"
    assert best_file(tmp_path) is None


def dear(provider, model):
    prices = model["prices"]
    if provider == "anthropic" and isinstance(prices, dict) and not isinstance(prices["input_mtok"], dict):
        prices["input_mtok"] = float(prices["input_mtok"]) * 4
    return model


def without_claude(provider, model):
    return None if provider == "anthropic" and "opus" in model["id"] else model


def with_catch_all():
    providers = json.loads(EMBEDDED)
    free = {"id": "gift", "match": {"contains": "claude"}, "prices": {"input_mtok": 0, "output_mtok": 0}}
    next(one for one in providers if one["id"] == "anthropic")["models"].insert(0, free)
    return json.dumps(providers).encode()


HOSTILE = {
    "not json": b"<html>not found</html>",
    "empty": b"",
    "cut": FRESH[: len(FRESH) // 2],
    "negative": FRESH.replace(b'"input_mtok": 3.99', b'"input_mtok": -3.99'),
    "four times dearer": changed(dear),
    "models vanish": changed(without_claude),
    "a free row before all others": with_catch_all(),
    "provider vanishes": json.dumps([one for one in json.loads(EMBEDDED) if one["id"] != "anthropic"]).encode(),
    "slow pattern": FRESH.replace(b'"^claude-opus-5-5-\\\\d{8}$"', b'"^(c+)+$"'),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_bad_data_are_rejected_and_the_last_good_stay(tmp_path, body):
    assert body not in (FRESH, EMBEDDED)
    with server([(200, {"etag": '"v1"'}, FRESH), (200, {"etag": '"v2"'}, body)]) as (url, _):
        await sync_once(url, tmp_path, ["anthropic"])
        before = best_file(tmp_path)
        done = await sync_once(url, tmp_path, ["anthropic"])
    assert done.outcome == "rejected"
    assert done.reasons
    assert best_file(tmp_path) == before
    assert PriceBook.load(before).label


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"oops"),
        (404, {}, b""),
        (304, {}, b""),
        (200, {"content-length": str(len(FRESH) + 10)}, FRESH),
    ],
)
async def test_failed_fetch_is_a_named_error_and_changes_nothing(tmp_path, answer):
    with server([answer]) as (url, _), pytest.raises(SyncError):
        await sync_once(url, tmp_path, ["anthropic"])
    assert best_file(tmp_path) is None


async def test_nobody_there_and_odd_urls_are_named_errors():
    with server([]) as (url, _):
        pass
    for bad in (url, "file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", "nonsense"):
        with pytest.raises(SyncError):
            await fetch(bad, "", 1)


async def test_a_body_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(sync, "BODY_BYTES_MAX", 1000)
    with server([(200, {}, b"x" * 100_000)]) as (url, _), pytest.raises(SyncError, match="more than 1000 bytes"):
        await fetch(url, "", 5)


def put(tmp_path, body, day, **more):
    from hashlib import sha256

    digest = sha256(body).hexdigest()
    label = f"genai-prices-{day}-{digest[:8]}"
    source = Source(file=f"{label}.json", label=label, date=day, sha256=digest, **more)
    store(tmp_path / "prices", body, source)
    return tmp_path / "prices" / source.file


def test_older_synced_data_lose_to_the_embedded(tmp_path):
    put(tmp_path, FRESH, "2026-11-01")
    assert best_file(tmp_path) is None


def test_damaged_synced_data_lose_to_the_embedded(tmp_path):
    path = put(tmp_path, FRESH, "2026-12-01")
    assert best_file(tmp_path) == path
    path.write_bytes(FRESH[:-1])
    assert best_file(tmp_path) is None
    with pytest.raises(ValueError, match="damaged"):
        PriceBook.load(path)
    path.unlink()
    assert best_file(tmp_path) is None
    (tmp_path / "prices" / "source.json").write_text("{")
    assert best_file(tmp_path) is None
    (tmp_path / "prices" / "source.json").write_text('{"file":"../../x","label":"x","date":"2026-12-01","sha256":""}')
    assert best_file(tmp_path) is None


def test_the_data_file_before_stays_loadable_and_the_one_before_that_goes(tmp_path):
    bodies = [FRESH, FRESH + b"\n", FRESH + b"\n\n"]
    paths = [put(tmp_path, body, f"2026-12-0{index + 1}") for index, body in enumerate(bodies)]
    assert best_file(tmp_path) == paths[2]
    assert [path.exists() for path in paths] == [False, True, True]
    assert PriceBook.load(paths[1]).label.startswith(paths[1].stem)


@pytest.mark.parametrize(("factor", "good"), [(1, True), (3, True), (3.01, False), (0.34, True), (0.33, False), (0, False)])
def test_three_times_dearer_or_cheaper_passes_and_more_does_not(factor, good):
    def one(price):
        rows = [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 10, "output_mtok": str(price)}}]
        return decode(json.dumps([{"id": "p", "models": rows}]).encode(), "x")

    assert (judge(one(100), one(100 * factor), ["p"], NOW) == []) is good


@pytest.mark.parametrize(("bad", "good"), [(0, True), (5, True), (6, False)])
def test_five_percent_of_the_models_in_use_may_vanish(bad, good):
    def some(names, price=1):
        return [{"id": name, "match": {"equals": name}, "prices": {"input_mtok": price}} for name in names]

    names = [f"m{index}" for index in range(100)]
    current = decode(json.dumps([{"id": "p", "models": some(names)}, {"id": "unused", "models": some(names)}]).encode(), "x")
    candidate = decode(json.dumps([{"id": "p", "models": some(names[bad:])}]).encode(), "x")
    assert (judge(current, candidate, ["p"], NOW) == []) is good
    assert judge(current, candidate, ["p", "unused"], NOW) != []
