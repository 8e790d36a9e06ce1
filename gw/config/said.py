"""Words for complaints about a configuration."""

import json
import re
from difflib import get_close_matches

from gw.config.secret import MASK

LIKE_A_SECRET = re.compile(r"gwk_|sk-|[A-Za-z0-9+_-]{32,}")  # in the wrong place, where it would be quoted back


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean "base_url"?`, or nothing if nothing is near."""
    matches = get_close_matches(word, known, n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""


def shown(raw: object) -> str:
    """A wrong value in a complaint, as TOML writes it, cut where it is long."""
    if isinstance(raw, dict):
        return "a table"
    if isinstance(raw, list):
        return "a list"
    if isinstance(raw, str) and LIKE_A_SECRET.search(raw):
        return json.dumps(MASK)
    if isinstance(raw, str | bool):
        text = json.dumps(raw, ensure_ascii=False)
        return text if len(text) <= 50 else f"{text[:46]}..."
    return str(raw)[:50]
