"""What the models behind Converse take, by their names.

An application inference profile is an ARN without a model's name; it is taken for Claude, as most are, of an unknown version.
Sources: Bedrock's pages of models and of prompt caching, Anthropic's page of system messages, as read in November 2026.
"""

from typing import Final, Literal

from msgspec import Struct

from gw.translate.anthropic_models import version

# How thinking is asked for: Claude's own words, OpenAI's `reasoning_effort`, Nova's `reasoningConfig`; "" not at all.
Asks = Literal["", "claude", "reasoning_effort", "reasoningConfig"]
_SYSTEM_FROM: Final = (4, 8)  # Claude takes system messages behind a user's turn


class Family(Struct, frozen=True):
    claude: bool = False
    asks: Asks = ""
    caches: bool = False  # takes cachePoint
    result_status: bool = False  # takes `status` in a tool's result
    top_k: Literal["", "top_k", "nova"] = ""
    system_in_middle: bool = False


def family_of(model: str) -> Family:
    name = model.lower()
    if "claude" in name or "anthropic" in name or _nameless(name):
        at = version(name)
        old = (0, 0) < at < (3, 5)
        return Family(True, "claude", not old, True, "top_k", at >= _SYSTEM_FROM)
    if "nova" in name:
        return Family(asks="reasoningConfig" if "nova-2" in name else "", caches=True, result_status=True, top_k="nova")
    if "gpt-oss" in name or "openai." in name:
        return Family(asks="reasoning_effort")
    if "mistral" in name or "qwen" in name:
        return Family(top_k="top_k")
    return Family()


def _nameless(name: str) -> bool:
    return ":application-inference-profile/" in name
