"""What there is to say of the operation on upstreams and prices; part of the table of operations."""

from typing import Any

from gw.control import http_upstreams
from gw.control.http_usage_operations import MOMENT, TZ
from gw.control.openapi import Parameter

SHAPES = http_upstreams.SHAPES
FROM = Parameter("from", "query", MOMENT, "Calls that ended since: a date, a moment, a span ago (`7d`). Without it: 30 days.")
TO = Parameter("to", "query", MOMENT, "Calls that ended before. Without it: now.")
OPERATIONS: tuple[dict[str, Any], ...] = (
    {
        "method": "GET",
        "path": "/api/upstreams",
        "id": "list_upstreams",
        "tag": "Gateway",
        "summary": "How upstreams do, what models were called, and what prices them",
        "description": "Calls, errors, times and cost of each upstream, lately and by hour or day; what is spoken there, its "
        "credentials (where they come from, never what they are), and failures of the last hour that sent calls elsewhere. Of "
        "each model that was called the price card in force at each upstream that serves it, with its source, and the overrides "
        "that apply.",
        "parameters": (FROM, TO, TZ),
        "answer": "Upstreams",
        "problems": ("invalid",),
        "slow": True,
        "perform": http_upstreams.upstreams,
    },
)
