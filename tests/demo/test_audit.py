"""The audit finds every way in which a ledger can fail to be the invoice."""

import msgspec

from gw.demo.audit import audit
from gw.demo.invoice import Line
from gw.domain.call import CallRecord


def line(request_id: str, cost_pusd: int, *, billed: bool = True) -> Line:
    fields = {name: "" for name in Line.__struct_fields__} | {
        "request_id": request_id,
        "cost_pusd": cost_pusd,
        "billed": billed,
    }
    return Line(**fields)


def row(request_id: str, list_pusd: int, source: str = "exact") -> CallRecord:
    values = {field.name: field.type() if field.type in (int, bool, str) else "" for field in msgspec.structs.fields(CallRecord)}
    return CallRecord(**values | {"upstream_request_id": request_id, "list_pusd": list_pusd, "usage_source": source})


def test_equal_bills_are_good() -> None:
    result = audit([row("a", 5), row("b", 7), row("", 0)], [line("a", 5), line("b", 7), line("c", 0, billed=False)])
    assert result.good
    assert (result.exact_count, result.exact_ledger_pusd, result.exact_invoice_pusd) == (2, 12, 12)


def test_one_pico_dollar_is_a_difference() -> None:
    assert audit([row("a", 5), row("b", 8)], [line("a", 5), line("b", 7)]).differing == ("b",)


def test_errors_that_cancel_out_are_found() -> None:
    assert audit([row("a", 6), row("b", 6)], [line("a", 5), line("b", 7)]).differing == ("a", "b")


def test_missing_and_double_rows_are_found() -> None:
    result = audit([row("b", 7), row("b", 7)], [line("a", 5), line("b", 7)])
    assert (result.missing, result.good) == (("a", "b"), False)


def test_call_cut_short_may_differ_and_is_counted_apart() -> None:
    result = audit([row("a", 6, "observed")], [line("a", 5)])
    assert result.good
    assert (result.exact_count, result.cut_count, result.cut_ledger_pusd, result.cut_invoice_pusd) == (0, 1, 6, 5)
