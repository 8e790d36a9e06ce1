"""Sums of what happened in sessions, by session, by agent, or by a dimension, in a stretch of time: exact to the microsecond.

A session that lies within the stretch as a whole is read from its rollup; of one that reaches beyond an end, the calls are read.
What has neither a session nor an agent is not here.
"""

from collections.abc import Sequence
from typing import Any

from gw.ledger.rollup_shape import ACCOUNT, DAY_US, LOW, OF_SESSION
from gw.ledger.store import Connection
from gw.ledger.sums import HALF_BITS
from gw.ledger.usage_sql import EVER_US, Condition, Stretch, Sums, calls_as_rollup

LAST_CHARACTER = "\U0010ffff"
_SAME = " AND ".join(f"c.{name} = s.{name}" for name in ("session_id", *ACCOUNT))
_OF_AGENT = {name: f"a.{name}" for name in OF_SESSION}
for _name in ("list", "billed"):
    _OF_AGENT[f"{_name}_high"], _OF_AGENT[f"{_name}_low"] = f"a.{_name}_pusd >> {HALF_BITS}", f"a.{_name}_pusd & {LOW}"


def session_sums(
    db: Connection, label: str, stretch: Stretch, *, conditions: Sequence[Condition], prefix: str, columns: Sequence[str]
) -> Sums:
    """By the label alone: an expression over the columns of a path, `session_id`, `agent_id` or `day` (when calls ended, since
    1970). `prefix`: only sessions whose id begins so. `columns`: of OF_SESSION, and the halves of list and billed."""
    found: Sums = {}
    start_us, end_us = stretch.start_us, stretch.end_us
    within = "FALSE" if label == "day" else f"s.first_us >= {start_us} AND s.last_us < {end_us}"
    touched = f"s.last_day >= {start_us // DAY_US} AND s.last_us >= {start_us} AND s.first_us < {end_us}"
    if prefix:
        touched += " AND s.session_id >= ? AND s.session_id < ?"
    span = (prefix, prefix + LAST_CHARACTER) if prefix else ()
    held = " AND ".join(one.sql for one in conditions) or "TRUE"
    values = tuple(value for one in conditions for value in one.values)
    if label != "day":
        sessions = "SELECT s.id AS number, s.session_id AS session_id FROM usage_session s"
        whole = f"{sessions} WHERE {touched} AND {within}"
        figures = ", ".join(f"SUM({_OF_AGENT[name]})" for name in columns)
        query = (
            f"SELECT {label} AS label, {figures} FROM ({whole}) AS s CROSS JOIN usage_agent a CROSS JOIN usage_path p "  # noqa: S608
            f"WHERE a.session = s.number AND p.id = a.path_id AND {held} GROUP BY label"
        )
        _merge(found, db.execute(query, (*span, *values)))
    if (start_us, end_us) != (0, EVER_US) or label == "day":
        figures = ", ".join(f"SUM({name})" for name in columns)
        of_these = f"c.ended_us >= {start_us} AND c.ended_us < {end_us} AND (c.session_id <> '' OR c.agent_id <> '')"
        more = ("c.session_id AS session_id", "c.agent_id AS agent_id", f"c.ended_us / {DAY_US} AS day")
        source = calls_as_rollup(
            columns, f"{touched} AND NOT ({within}) AND {_SAME} AND {of_these}", "usage_session s CROSS JOIN call c", more
        )
        query = f"SELECT {label} AS label, {figures} FROM {source} WHERE {held} GROUP BY label"  # noqa: S608 - as above
        _merge(found, db.execute(query, (*span, *span, *values)))
    return found


def _merge(found: Sums, rows: Any) -> None:
    for label, *figures in rows:
        before = found.get((label,), [0] * len(figures))
        found[label,] = [a + int(b) for a, b in zip(before, figures, strict=True)]
