"""The golden streams of Anthropic's dialect and what their manifest expects of them."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent / "golden"
MANIFEST: list[dict[str, Any]] = json.loads((HERE / "manifest.json").read_text())
ANTHROPIC = [entry for entry in MANIFEST if entry["provider"] == "anthropic"]


def content(entry: dict[str, Any]) -> bytes:
    return (HERE / entry["file"]).read_bytes()


def expected(entry: dict[str, Any]) -> dict[str, object]:
    """The manifest's merged usage as the tap names it. Cache writes beyond the split have no TTL there: 5m, assumed."""
    usage = entry["expected_usage"]
    split = usage.get("cache_creation", {})
    tools = usage.get("server_tool_use", {})
    total, long = usage.get("cache_creation_input_tokens", 0), split.get("ephemeral_1h_input_tokens", 0)
    return {
        "input": usage["input_tokens"],
        "output": usage["output_tokens"],
        "cache_read": usage.get("cache_read_input_tokens", 0),
        "write_5m": total - long,
        "write_1h": long,
        "thinking": usage.get("output_tokens_details", {}).get("thinking_tokens", 0),
        "search": tools.get("web_search_requests", 0),
        "fetch": tools.get("web_fetch_requests", 0),
        "tier": usage.get("service_tier", ""),
        "geo": usage.get("inference_geo", ""),
        "ttl_assumed": total > sum(split.values()),
        "iterations": tuple(
            (
                one["type"],
                "",
                one["input_tokens"],
                one["output_tokens"],
                one["cache_read_input_tokens"],
                one["cache_creation_input_tokens"],
                one["cache_creation"]["ephemeral_5m_input_tokens"],
                one["cache_creation"]["ephemeral_1h_input_tokens"],
            )
            for one in usage.get("iterations", [])
        ),
        "model": entry["model"],
        "started": True,
        "finished": True,
        "final_usage": True,
        "garbled": False,
        "content_empty": False,
        "error_type": "",
    }
