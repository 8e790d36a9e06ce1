"""What a row of the ledger means for budgets, in SQL: when it was charged, what it counts, whose it is."""

from gw.domain.money import PUSD_PER_NUSD
from gw.domain.scope import CallPath
from gw.ledger.sums import halves

AT = "CASE WHEN charged_us > 0 THEN charged_us ELSE started_us END"  # as indexed by migration 0003
COST = f"(CASE WHEN billed_pusd > 0 THEN (billed_pusd - 1) / {PUSD_PER_NUSD} + 1 ELSE 0 END)"
WORST = f"(CASE WHEN at_most_nusd > {COST} THEN at_most_nusd ELSE {COST} END)"
SUMS = f"{halves(COST)}, {halves(WORST)}"
PATH_COLUMNS = ("customer", "team", "key_name", "key_id", "upstream", "requested_model", "project", "session_id")
COLUMN_OF = dict(zip(CallPath._fields, PATH_COLUMNS, strict=True))
