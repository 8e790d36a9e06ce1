"""Which of Anthropic's beta headers other platforms of Claude know, and the body's fields that go with each.

A platform answers 400 to a header that it does not know ("invalid beta flag"), and to a field whose header it did not get
("<field>: Extra inputs are not permitted"). So a header that is not in the platform's table is left out, and with it the fields
that it brings; a field that no table knows stays, and the platform's own words heal Claude Code.

Sources: Bedrock's and Vertex's pages of Claude's request, and what peers' tables agree on, as read in November 2026.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from gw.translate.anthropic_models import version

_BOTH: Final = {
    "compact-2026-01-12": "",
    "computer-use-2025-01-24": "",
    "computer-use-2025-11-24": "",
    "context-1m-2025-08-07": "",
    "context-management-2025-06-27": "",
    "dangerous-tool-use-2026-09-03": "",
    "thinking-binding-controls-2026-08-01": "",
    "thinking-display-updates-2026-08-18": "",
    "tool-search-tool-2025-10-19": "",
    "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19",  # the part of it that there is
}
# A header -> the name it has there, "" the same.
BEDROCK: Final[Mapping[str, str]] = _BOTH | {
    "effort-2025-11-24": "",
    "fine-grained-tool-streaming-2025-05-14": "",
    "mid-conversation-output-config-2026-07-01": "",
    "mid-conversation-tool-changes-2026-07-01": "",
    "tool-examples-2025-10-29": "",
}
VERTEX: Final[Mapping[str, str]] = _BOTH | {
    "compact-2026-09-04": "",
    "interleaved-thinking-2025-05-14": "",
    "per-turn-control-2026-07-01": "",
    "web-search-2025-03-05": "",
}
_INTERLEAVED: Final = "interleaved-thinking-2025-05-14"

# The beginning of a header's name -> the top-level fields that nobody knows without it.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "context-management-": ("context_management",),
    "dangerous-tool-use-": ("safeguards",),
    "fast-mode-": ("speed",),
    "mcp-client-": ("mcp_servers",),
    "skills-": ("container",),
    "code-execution-": ("container",),
    "fallback-": ("fallbacks",),
    "diagnostics-": ("diagnostics",),
}
# The same for a field of each message.
MESSAGE_FIELDS: Final[Mapping[str, str]] = {"per-turn-control-": "output_config"}
# Fields of Anthropic's own service, without any header.
OWN_FIELDS: Final = ("service_tier", "inference_geo")


def named(values: Iterable[str | bytes]) -> list[str]:
    """The names in the values of one or several `anthropic-beta` headers, each once."""
    names: dict[str, None] = {}
    for value in values:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        names |= dict.fromkeys(name for part in text.split(",") if (name := part.strip()))
    return list(names)


def known(names: Iterable[str], table: Mapping[str, str], model: str) -> tuple[list[str], list[str]]:
    """(what these are called there, those that are not known there)."""
    sent: dict[str, None] = {}
    unknown = []
    for name in names:
        if name in table:
            sent[table[name] or name] = None
        elif name == _INTERLEAVED and (4, 0) <= version(model) < (4, 6):  # others refuse it, or think between calls anyway
            sent[name] = None
        else:
            unknown.append(name)
    return list(sent), unknown


def fields_with(unknown: Collection[str], sent: Collection[str]) -> list[str]:
    """The top-level fields that go with these headers, unless another that is sent brings them too."""

    def brought(names: Collection[str]) -> dict[str, None]:
        return {field: None for name in names for head, fields in FIELDS.items() if name.startswith(head) for field in fields}

    kept = brought(sent)
    return [field for field in brought(unknown) if field not in kept]


def message_fields_with(unknown: Collection[str], sent: Collection[str]) -> list[str]:
    """The fields of messages that go with them."""
    if any(name.startswith("mid-conversation-output-config-") for name in sent):
        return []
    return list({field: None for head, field in MESSAGE_FIELDS.items() if any(name.startswith(head) for name in unknown)})
