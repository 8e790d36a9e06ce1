"""One entry of the audit as a SIEM wants it. Pure.

syslog: RFC 5424, `<PRI>1 TIME HOST gw PID audit [gw@32473 ...] BOM{json}`, facility 13 (log audit); over a stream each message
is framed by its length (RFC 6587, octet counting). The message is the same JSON that a webhook gets.
webhook: a JSON object: {"source": "gw", "events": [...]}
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from gw.domain.text import printable
from gw.ledger.audit import AuditRow

FACILITY = 13  # log audit
NOTICE, WARNING = 5, 4
STRUCTURED = "gw@32473"  # the enterprise number that RFC 5612 keeps for documentation: gw has none of its own
FAILED = ("sign_in_failed",)
UDP_BYTES_MAX = 8192  # every receiver takes 2048, most 8192; a longer message is sent without its before and after
_PRINTABLE_ASCII = re.compile(r"[^\x21-\x7e]")


def event(row: AuditRow) -> dict[str, Any]:
    """For programs; `id` tells one that comes twice."""
    return {
        "id": row.id,
        "at": moment(row.at_us),
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "kind": row.kind,
        "name": row.name,
        "before": _decoded(row.before_json),
        "after": _decoded(row.after_json),
        "prev_hash": row.prev_hash,
        "hash": row.hash,
    }


def batch(rows: list[AuditRow]) -> bytes:
    return msgspec.json.encode({"source": "gw", "events": [event(row) for row in rows]})


def syslog(row: AuditRow, host: str, pid: int, *, whole: bool = True) -> bytes:
    """Without a frame. `whole` False: without before and after, where there is no room."""
    severity = WARNING if row.action in FAILED else NOTICE
    told = event(row)
    if not whole:
        del told["before"], told["after"]
    fields = {"id": str(row.id), "actor": row.actor, "via": row.via, "action": row.action, "kind": row.kind, "name": row.name}
    pairs = " ".join(f'{name}="{_escaped(value)}"' for name, value in fields.items())
    header = f"<{FACILITY * 8 + severity}>1 {moment(row.at_us)} {_header(host, 255)} gw {pid} audit"
    head = f'{header} [{STRUCTURED} {pairs} hash="{row.hash}"]'
    return head.encode() + b" \xef\xbb\xbf" + msgspec.json.encode(told)


def datagram(row: AuditRow, host: str, pid: int) -> bytes:
    message = syslog(row, host, pid)
    return message if len(message) <= UDP_BYTES_MAX else syslog(row, host, pid, whole=False)


def framed(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def moment(us: int) -> str:
    """RFC 3339 with microseconds, in UTC."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{us % 1_000_000:06d}Z"


def _header(text: str, limit: int) -> str:
    return _PRINTABLE_ASCII.sub("?", text)[:limit] or "-"


def _escaped(value: str) -> str:
    """As PARAM-VALUE wants it (section 6.3.3)."""
    text = printable(value, 300)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.MsgspecError:
        return text
