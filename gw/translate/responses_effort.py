"""How much OpenAI's models think, and whether they do: by their names, unless the upstream's quirks say it.

Source: OpenAI model pages, as read in November 2026. A name that is not known (a deployment of Azure) is taken for a model that
does not think, since a field that it does not know would be refused; `thinking = "reasoning"` in its quirks says that it does.
"""

import re
from typing import Final

from gw.domain.quirks import Quirks
from gw.translate.form import Effort

LEVELS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_THINKS = re.compile(r"(?:.*/)?(?:o\d|gpt-[5-9]|gpt-oss|codex)(?!.*-chat)")
# The first whose name fits, most special first: what of LEVELS the model takes.
_TAKES: Final = (
    (re.compile(r"(?:.*/)?o\d"), LEVELS[2:5]),
    (re.compile(r"(?:.*/)?gpt-oss"), LEVELS[2:5]),
    (re.compile(r"(?:.*/)?gpt-5-pro"), LEVELS[4:5]),
    (re.compile(r"(?:.*/)?(?:gpt-5-codex|codex-mini)"), LEVELS[2:5]),
    (re.compile(r"(?:.*/)?gpt-5(?![.\d])"), LEVELS[1:5]),
    (re.compile(r"(?:.*/)?gpt-5\.\d+-codex-max"), LEVELS[2:6]),
    (re.compile(r"(?:.*/)?gpt-5\.1"), ("none", *LEVELS[2:5])),
    (re.compile(r"(?:.*/)?gpt-5\."), ("none", *LEVELS[2:6])),
)
_BUDGETS: Final = ((1_024, "minimal"), (4_096, "low"), (16_384, "medium"), (32_768, "high"))  # tokens up to which a level will do


def thinks(model: str, quirks: Quirks) -> bool:
    if quirks.thinking:
        return quirks.thinking != "no"
    if quirks.plain_models:
        return not model.startswith(quirks.plain_models)
    return _THINKS.match(model) is not None


def level_for(model: str, effort: Effort, quirks: Quirks) -> str:
    """The nearest of the model's levels to what is asked for; "" leaves it to the model."""
    wanted = "none" if effort.mode == "off" else effort.level
    if not wanted and effort.budget > 0:
        wanted = next((level for most, level in _BUDGETS if effort.budget <= most), "xhigh")
    takes = quirks.efforts or next((levels for name, levels in _TAKES if name.match(model)), ("none", *LEVELS[2:6]))
    if wanted not in LEVELS or wanted in takes:
        return wanted
    known = [level for level in takes if level in LEVELS]
    return min(known, key=lambda level: abs(LEVELS.index(level) - LEVELS.index(wanted)), default="")
