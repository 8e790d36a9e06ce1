"""GET /api/audit/verify: whether the audit, and the ledger where it has a chain, are what they were."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gw.audit import record
from gw.audit.sign import SignError, Verifier, signer_of
from gw.control.host import Host
from gw.control.http_answer import NO_STORE, Answer, Ask
from gw.control.http_items import Desk
from gw.control.http_listing import bounded
from gw.control.http_shapes import Moment, moment
from gw.control.problem import FieldError, all_invalid
from gw.ledger.database import database_of

ID_MAX = 2**63 - 1
FINDINGS_MAX = 100


class AuditFinding(Struct, frozen=True):
    """One thing that is wrong."""

    what: Annotated[str, Meta(description="edited, moved, missing, inserted, rewritten, head, anchor, block")]
    row: Annotated[int, Meta(description="Id of the entry, of the first of several; of an anchor; of a call its seq.")]
    last: int
    said: str


class LedgerVerification(Struct, frozen=True):
    ok: bool
    blocks: int
    rows: int
    gone: Annotated[int, Meta(description="Rows that retention has let go.")]
    unchained: Annotated[int, Meta(description="Rows that no block holds yet.")]
    findings: tuple[AuditFinding, ...]


class AuditVerification(Struct, frozen=True):
    ok: bool
    rows: int
    first_id: int
    last_id: int
    anchors: Annotated[int, Meta(description="Signatures that are good.")]
    signed_id: Annotated[int, Meta(description="Up to this entry a signature vouches for them; 0: none does.")]
    signed_at: Moment | None
    key_id: Annotated[str, Meta(description="Of the key that the signatures were checked with.")]
    unchained: Annotated[int, Meta(description="Entries of earlier versions that are not chained yet.")]
    findings: Annotated[tuple[AuditFinding, ...], Meta(description=f"At most {FINDINGS_MAX}.")]
    ledger: Annotated[LedgerVerification | None, Meta(description="null: it was not asked for.")]


SHAPES = (AuditVerification,)


def verify(desk: Desk, ask: Ask) -> Answer:
    errors: list[FieldError] = []
    first = bounded(ask.query, "from", errors, default=0, high=ID_MAX)
    last = bounded(ask.query, "to", errors, default=0, high=ID_MAX)
    ledger = ask.query.get("ledger", "false")
    if ledger not in ("true", "false"):
        errors.append(FieldError("query", "ledger", "must be true or false"))
    if last and first > last:
        errors.append(FieldError("query", "to", "must not be below from"))
    if errors:
        raise all_invalid(errors)
    database = database_of(desk.host.snapshot.config.storage.address)
    verifier, problem = verifier_of(desk.host)
    report = record.verify(database, verifier, [], first, last)
    findings = tuple(AuditFinding(one.what, one.row, one.last, one.said) for one in report.findings[:FINDINGS_MAX])
    if problem:
        findings = (AuditFinding("anchor", 0, 0, problem), *findings)
    view = AuditVerification(
        ok=not findings,
        rows=report.rows,
        first_id=report.first_id,
        last_id=report.last_id,
        anchors=report.anchors,
        signed_id=report.signed_id,
        signed_at=moment(report.signed_us),
        key_id=verifier.key_id if verifier is not None else "",
        unchained=report.unchained,
        findings=findings,
        ledger=_ledger(desk, verifier) if ledger == "true" else None,
    )
    return Answer(200, msgspec.json.encode(view) + b"\n", headers=NO_STORE)


def verifier_of(host: Host) -> tuple[Verifier | None, str]:
    """The key that the courier signs with, and why there is none."""
    audit = host.snapshot.config.audit
    try:
        return signer_of(audit.key.reveal() if audit.key else "", host.state_dir, host.snapshot.pepper), ""
    except (SignError, OSError) as error:
        return None, f"signatures cannot be checked: {error}"


def _ledger(desk: Desk, verifier: Verifier | None) -> LedgerVerification:
    database = database_of(desk.host.snapshot.config.storage.address)
    found = record.verify_ledger(database, verifier, [])
    findings = tuple(AuditFinding(one.what, one.seq, one.seq, one.said) for one in found.findings[:FINDINGS_MAX])
    return LedgerVerification(found.is_whole, found.blocks, found.rows, found.gone, found.unchained, findings)
