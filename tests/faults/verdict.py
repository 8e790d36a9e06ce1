"""Every call, as its client saw it, against its row in the ledger and its line on the upstream's invoice."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gw.demo.invoice import Line
from tests.faults.load import Seen
from tests.support.bill import of_invoice, of_row
from tests.support.gateway import Row

PROMPT = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


@dataclass
class Verdict:
    """`wrong`: one sentence per breach; the rest are figures for the report. Money in pico-USD."""

    wrong: list[str] = field(default_factory=list)
    rows: int = 0
    exact: int = 0  # rows of calls that ended before the client's eyes, equal to the invoice
    died: Counter[str] = field(default_factory=Counter)  # rows of calls that died with their worker, by usage source
    others: Counter[str] = field(default_factory=Counter)  # rows of further calls whose end nobody saw, or that were refused
    unsent: int = 0  # of these: opened, but the upstream never saw them
    died_ledger_pusd: int = 0
    died_invoice_pusd: int = 0

    def line(self) -> str:
        return (
            f"{self.rows} rows, {self.exact} exact; died with their worker: {sum(self.died.values())} {dict(self.died)}, "
            f"{self.unsent} of them never reached the upstream; of the others ledger {self.died_ledger_pusd / 1e12:.6f} USD, "
            f"invoice {self.died_invoice_pusd / 1e12:.6f} USD; others {dict(self.others)}"
        )


def judge(seen: Sequence[Seen], rows: Iterable[Row], lines: Iterable[Line]) -> Verdict:
    verdict = Verdict()
    rows_of: dict[str, list[Row]] = {}
    for row in rows:
        verdict.rows += 1
        rows_of.setdefault(row["session_id"], []).append(row)
    lines_of: dict[str, list[Line]] = {}
    for line in lines:
        lines_of.setdefault(line.headers["x-claude-code-session-id"], []).append(line)
    for one in seen:
        _judge_call(verdict, one, rows_of.pop(one.session, []), lines_of.pop(one.session, []))
    verdict.wrong += [f"a row of a call that nobody made: {row}" for row in rows_of.items()]
    return verdict


def _judge_call(verdict: Verdict, one: Seen, rows: list[Row], lines: list[Line]) -> None:
    def wrong(what: str) -> None:
        verdict.wrong.append(f"{what}: {one}; rows {rows}; lines {lines}")

    if len(rows) > 1:
        return wrong("more than one row")
    if not rows:
        if one.ended or one.call_id or lines:
            wrong("no row, though its answer began" if one.call_id else "no row, though it reached the upstream")
        return None
    row = rows[0]
    if one.call_id and row["call_id"] != one.call_id:
        return wrong("the row has another call id than the answer")
    if row["billed_pusd"] < 0 or row["list_pusd"] < 0:
        return wrong("negative cost")
    if one.good:
        exact = row["outcome"] == "completed" and row["usage_source"] == "exact"
        if not exact or len(lines) != 1 or of_row(row) != of_invoice(lines[0]):
            return wrong("the row is not the invoice's line")
        if one.upstream_request_id and one.upstream_request_id != lines[0].request_id:
            return wrong("the answer names another upstream request")
        verdict.exact += 1
    elif row["error"] == "worker_died":
        _judge_dead(verdict, row, lines, wrong)
    else:
        verdict.others[f"{row['outcome']} {row['error']}".strip()] += 1
        if row["outcome"] == "completed" and (len(lines) != 1 or of_row(row) != of_invoice(lines[0])):
            wrong("completed unseen, and the row is not the invoice's line")
    return None


def _judge_dead(verdict: Verdict, row: Row, lines: list[Line], wrong: Callable[[str], None]) -> None:
    verdict.died[row["usage_source"]] += 1
    if row["outcome"] != "stopped" or row["usage_source"] not in ("exact", "observed", "estimated"):
        wrong("settled, but not as a call of a dead worker")
    elif row["list_pusd"] <= 0 or row["billed_pusd"] <= 0:
        wrong("settled for nothing")
    elif not lines:
        verdict.unsent += 1
    else:
        line = lines[0]
        verdict.died_ledger_pusd += row["list_pusd"]
        verdict.died_invoice_pusd += line.cost_pusd
        if row["usage_source"] != "estimated" and tuple(row[name] for name in PROMPT) != _prompt(line):
            wrong("observed another prompt than the upstream billed")
        elif row["usage_source"] == "exact" and row["list_pusd"] != line.cost_pusd:
            wrong("exact, but not what the upstream billed")


def _prompt(line: Line) -> tuple[int, ...]:
    usage = line.usage or {}
    hour = usage["cache_creation"]["ephemeral_1h_input_tokens"]
    return usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"] - hour, hour
