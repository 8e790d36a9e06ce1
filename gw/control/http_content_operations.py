"""What the operations on conversations are called, asked and answer, for the table of operations."""

from typing import Any

from gw.control.http_content import PARTS, RAW_TYPE, ConversationView, show
from gw.control.openapi import Parameter

SHAPES = (ConversationView,)
TAG = {"Conversations": "What calls said and were answered, where the configuration keeps it."}
CALL_ID = Parameter(
    "call_id", "path", {"type": "string", "minLength": 1}, "As in the ledger, and in the answer's request-id.", required=True
)

CONVERSATION: dict[str, Any] = {
    "method": "GET",
    "path": "/api/logs/{call_id}/conversation",
    "id": "get_conversation",
    "tag": "Conversations",
    "summary": "What a call said and was answered",
    "description": "That it was read stands in the audit, with who did. With `raw`, the bytes of the request or of the answer, "
    "exactly as they were kept.",
    "parameters": (
        CALL_ID,
        Parameter("raw", "query", {"type": "boolean", "default": False}, "`true`: bytes instead of JSON."),
        Parameter("part", "query", {"type": "string", "enum": list(PARTS)}, "Of raw bytes: whose. Without it the request's."),
    ),
    "answer": "ConversationView",
    "raw_type": RAW_TYPE,
    "problems": ("not_found", "invalid", "content_unreadable"),
    "perform": show,
}
