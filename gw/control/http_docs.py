"""The page at /api/docs: one document without any other resource, whose scripts and styles are named by their digests."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from gw.control.http_answer import Answer

FILES = Path(__file__).with_name("docs")
STYLE_AT, SCRIPT_AT = "/* docs.css */", "/* docs.js */"


@cache
def page() -> Answer:
    style, script = ((FILES / name).read_text("utf-8") for name in ("docs.css", "docs.js"))
    text = (FILES / "docs.html").read_text("utf-8").replace(STYLE_AT, style).replace(SCRIPT_AT, script)
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "private, no-cache"}
    return Answer(200, text.encode(), "text/html; charset=utf-8", headers)


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
