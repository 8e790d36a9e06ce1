-- What repricing adds to the cost of calls that are in the ledger already, whose rows never change: a call has cost its row and all
-- of its adjustments together. Columns in the order of gw.ledger.adjust.Adjustment. Amounts are signed differences; *_pusd are
-- pico-USD, *_nusd what budgets count in nano-USD. seq rises by the order of commits. What decides about budgets stands here
-- once more (when the call was charged, whose it is), so that an adjustment counts for longer than the call is kept.
CREATE TABLE adjustment (
    seq INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    call_id TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    old_version TEXT NOT NULL,
    new_version TEXT NOT NULL,
    list_pusd INTEGER NOT NULL,
    billed_pusd INTEGER NOT NULL,
    input_pusd INTEGER NOT NULL,
    output_pusd INTEGER NOT NULL,
    cache_read_pusd INTEGER NOT NULL,
    cache_write_5m_pusd INTEGER NOT NULL,
    cache_write_1h_pusd INTEGER NOT NULL,
    tools_pusd INTEGER NOT NULL,
    other_pusd INTEGER NOT NULL,
    ended_us INTEGER NOT NULL, -- of the call
    charged_us INTEGER NOT NULL, -- of the call: budgets count it in the window of this instant
    customer TEXT NOT NULL,
    team TEXT NOT NULL,
    key_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    upstream TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    project TEXT NOT NULL,
    session_id TEXT NOT NULL,
    cost_nusd INTEGER NOT NULL,
    worst_nusd INTEGER NOT NULL
);
CREATE INDEX adjustment_call ON adjustment (call_id);
CREATE INDEX adjustment_charged ON adjustment (charged_us);
CREATE INDEX adjustment_session ON adjustment (session_id);
CREATE TRIGGER adjustment_is_never_updated BEFORE UPDATE ON adjustment BEGIN
    SELECT raise(ABORT, 'adjustments are insert-only');
END;
CREATE TRIGGER adjustment_is_never_deleted BEFORE DELETE ON adjustment BEGIN
    SELECT raise(ABORT, 'adjustments are insert-only');
END;
