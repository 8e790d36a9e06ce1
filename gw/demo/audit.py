"""Is the ledger the invoice? Joined by the upstream's request id. Pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gw.demo.invoice import Line
from gw.domain.call import CallRecord


class Audit(Struct, frozen=True):
    """Amounts in pico-USD. `exact` calls ended with the provider's last word on usage and must agree one by one; of `cut`
    ones neither side has it, so gw bills what it observed, which may differ a little from what was produced."""

    exact_count: int
    exact_ledger_pusd: int
    exact_invoice_pusd: int
    cut_count: int
    cut_ledger_pusd: int
    cut_invoice_pusd: int
    differing: tuple[str, ...]  # request ids of exact calls that do not agree
    missing: tuple[str, ...]  # request ids of billed calls without a row, or with two

    @property
    def good(self) -> bool:
        return not self.differing and not self.missing


def audit(records: Iterable[CallRecord], lines: Sequence[Line]) -> Audit:
    """Every billed line against its row. Rows without a line (refusals, earlier runs) are left out."""
    rows: dict[str, list[CallRecord]] = {}
    for record in records:
        if record.upstream_request_id:
            rows.setdefault(record.upstream_request_id, []).append(record)
    billed = [line for line in lines if line.billed]
    missing = tuple(line.request_id for line in billed if len(rows.get(line.request_id, [])) != 1)
    pairs = [(line, rows[line.request_id][0]) for line in billed if len(rows.get(line.request_id, [])) == 1]
    exact = [(line, row) for line, row in pairs if row.usage_source == "exact"]
    cut = [(line, row) for line, row in pairs if row.usage_source != "exact"]
    return Audit(
        exact_count=len(exact),
        exact_ledger_pusd=sum(row.list_pusd for _, row in exact),
        exact_invoice_pusd=sum(line.cost_pusd for line, _ in exact),
        cut_count=len(cut),
        cut_ledger_pusd=sum(row.list_pusd for _, row in cut),
        cut_invoice_pusd=sum(line.cost_pusd for line, _ in cut),
        differing=tuple(line.request_id for line, row in exact if row.list_pusd != line.cost_pusd),
        missing=missing,
    )
