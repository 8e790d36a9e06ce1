"""GET /api/chargeback: what a month has cost, and whom, as JSON, CSV or a page to print. It is noted in the audit."""

from gw.chargeback.month import month_of, parse_month
from gw.chargeback.page import page, policy_of
from gw.chargeback.report import DEFAULT_BY, parse_by, report
from gw.chargeback.table import csv_bytes, json_bytes
from gw.config.said import nearest
from gw.control.http_answer import JSON, NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_logs import not_too_slow
from gw.control.problem import FieldError, all_invalid
from gw.ledger.audit import note
from gw.ledger.database import database_of

HTML, CSV = "text/html; charset=utf-8", "text/csv; charset=utf-8"
FORMS = ("json", "html", "csv")
READ = "read_report"


def chargeback(desk: Desk, ask: Ask) -> Answer:
    """`month`: without it, the one before this."""
    errors: list[FieldError] = []
    month = month_of(ask.now_us).before
    by: tuple[str, ...] = DEFAULT_BY
    try:
        if "month" in ask.query:
            month = parse_month(ask.query["month"])
    except ValueError as error:
        errors.append(FieldError("query", "month", str(error)))
    try:
        if "by" in ask.query:
            by = parse_by(ask.query["by"])
    except ValueError as error:
        errors.append(FieldError("query", "by", str(error)))
    form = ask.query.get("format", "json")
    if form not in FORMS:
        errors.append(FieldError("query", "format", f"must be one of {', '.join(FORMS)}{nearest(form, list(FORMS))}"))
    if errors:
        raise all_invalid(errors)
    database = database_of(desk.host.snapshot.config.storage.address)
    with not_too_slow():
        made = report(database, month, by, ask.now_us)
    note(database, ask.now_us, ask.actor, "api", READ, "report", f"chargeback {month}", {"by": ",".join(by), "format": form})
    if form == "html":
        return Answer(200, page(made), HTML, {**NO_STORE, "content-security-policy": policy_of(made)})
    name = f"chargeback-{month}.{form}"
    attached = {**NO_STORE, "content-disposition": f'attachment; filename="{name}"'}
    if form == "csv":
        return Answer(200, csv_bytes(made), CSV, attached)
    return Answer(200, json_bytes(made), JSON, NO_STORE)
