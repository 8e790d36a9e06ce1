"""The dashboard's files as they are served: `/ui` and below. No session is asked for them; what they show comes from the API.

Everything but the page itself lies below a digest of all files (`/ui/a/<digest>/...`), so a browser keeps it for ever and a new
version is never mixed with an old one. Files are read once, and compressed once.
"""

import gzip
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import gw
from gw.control.http_answer import Answer
from gw.control.problem import Problem

FOLDER = Path(gw.__file__).with_name("dashboard")
ROOT = "/ui"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
BASE_MARK, PRELOAD_MARK = "{{base}}", "<!-- preload -->"
EARLY = ("vendor/", "core/", "ui/")  # scripts that every view needs, but for the one that draws charts
EVER = "public, max-age=31536000, immutable"
# Nothing but this origin's own files, and nothing inline: a name that holds a script stays a name.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
GZIP_FROM_BYTES = 512


class Page(NamedTuple):
    body: bytes
    gzipped: bytes  # b"" where it would save nothing
    media_type: str
    etag: str


class Site(NamedTuple):
    base: str
    page: Page
    files: dict[str, Page]  # path below `base` -> file


def pages(path: str, method: str, headers: Mapping[str, str]) -> Answer:
    """`path` begins with ROOT. Raises Problem."""
    if method not in ("GET", "HEAD"):
        raise Problem("method_not_allowed", headers={"allow": "GET, HEAD"})
    site = _site()
    if path.startswith(f"{ROOT}/a/"):
        found = site.files.get(path.removeprefix(f"{site.base}/"))
        if found is None:
            raise Problem("unknown_path", "There is no such file in this version of the dashboard: reload the page.")
        return _answer(found, headers, EVER)
    return _answer(site.page, headers, "no-cache")


def _answer(page: Page, headers: Mapping[str, str], cache_control: str) -> Answer:
    sent = {"content-security-policy": POLICY, "cache-control": cache_control, "etag": page.etag, "vary": "accept-encoding"}
    if page.etag in headers.get("if-none-match", ""):
        return Answer(304, headers=sent)
    if page.gzipped and "gzip" in headers.get("accept-encoding", ""):
        return Answer(200, page.gzipped, page.media_type, {**sent, "content-encoding": "gzip"})
    return Answer(200, page.body, page.media_type, sent)


@cache
def _site() -> Site:
    texts = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }
    whole = sha256()
    for name, text in texts.items():
        whole.update(b"%s\0%d\0%s" % (name.encode(), len(text), text))
    base = f"{ROOT}/a/{whole.hexdigest()[:16]}"
    index = texts.pop("index.html").decode()
    early = [name for name in texts if name.startswith(EARLY) and name.endswith(".js") and "uplot" not in name]
    preload = "\n".join(f'    <link rel="modulepreload" href="{base}/{name}">' for name in ["app.js", *early])
    index = index.replace(PRELOAD_MARK, preload).replace(BASE_MARK, base)
    return Site(base, _page("index.html", index.encode()), {name: _page(name, text) for name, text in texts.items()})


def _page(name: str, body: bytes) -> Page:
    zipped = gzip.compress(body, 9, mtime=0) if len(body) >= GZIP_FROM_BYTES else b""
    return Page(body, zipped, TYPES[Path(name).suffix], f'"{sha256(body).hexdigest()[:24]}"')
