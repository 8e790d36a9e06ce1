"""Which tier one of Claude Code's own model ids belongs to: haiku, sonnet, opus or fable, whatever its version. Pure.

The CLI sends all built-in ids at one time or another, with names overridden or not, so a tier means every id of it: those of
today (`claude-opus-5-5`), dated ones (`claude-haiku-4-5-20251001`), with the version first (`claude-3-5-sonnet-20241022`),
those of the clouds (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-sonnet-4-5@20250929`), with `[1m]`, and with a name
before a slash, as the CLI itself recognises them. What only resembles one (`my-claude-haiku`, `claude-haiku-mini`) is none.
"""

import re
from functools import lru_cache
from typing import Literal

Tier = Literal["haiku", "sonnet", "opus", "fable"]
TIERS: tuple[Tier, ...] = ("haiku", "sonnet", "opus", "fable")

_NAMES = "haiku|sonnet|opus|fable"
_VERSION = r"\d{1,2}(?:[-.]\d{1,2})?"
_DATE = r"(?:[-@](?:\d{8}|latest|default))?"
_TAIL = rf"{_DATE}(?:-v\d+(?::\d+)?)?(?:-fast)?"
_BEFORE = r"(?:[\w.@-]+/)*(?:(?:[a-z]{2,6}(?:-gov)?\.)?anthropic\.)?"
_BUILT_IN = re.compile(rf"{_BEFORE}claude-(?:({_NAMES})(?:-{_VERSION})?|{_VERSION}-({_NAMES})){_TAIL}(?:\[\d+[km]\])?")


@lru_cache(maxsize=4096)
def tier_of(model: str) -> Tier | Literal[""]:
    """ "" for what is none of Claude Code's own; also for its bare aliases (`opus`), which it never sends."""
    found = _BUILT_IN.fullmatch(model.strip().lower())
    name = (found[1] or found[2]) if found is not None else ""
    return name if name in TIERS else ""
