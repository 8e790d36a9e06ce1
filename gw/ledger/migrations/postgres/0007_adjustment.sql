-- What repricing adds to the cost of calls that are in the ledger already, whose rows never change: a call has cost its row and all
-- of its adjustments together. Columns in the order of gw.ledger.adjust.Adjustment. Amounts are signed differences; *_pusd are
-- pico-USD, *_nusd what budgets count in nano-USD. seq rises by the order of commits. What decides about budgets stands here
-- once more (when the call was charged, whose it is), so that an adjustment counts for longer than the call is kept.
CREATE TABLE adjustment (
    seq BIGINT NOT NULL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    call_id TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    old_version TEXT COLLATE "C" NOT NULL,
    new_version TEXT COLLATE "C" NOT NULL,
    list_pusd BIGINT NOT NULL,
    billed_pusd BIGINT NOT NULL,
    input_pusd BIGINT NOT NULL,
    output_pusd BIGINT NOT NULL,
    cache_read_pusd BIGINT NOT NULL,
    cache_write_5m_pusd BIGINT NOT NULL,
    cache_write_1h_pusd BIGINT NOT NULL,
    tools_pusd BIGINT NOT NULL,
    other_pusd BIGINT NOT NULL,
    ended_us BIGINT NOT NULL, -- of the call
    charged_us BIGINT NOT NULL, -- of the call: budgets count it in the window of this instant
    customer TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    requested_model TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    cost_nusd BIGINT NOT NULL,
    worst_nusd BIGINT NOT NULL
);
CREATE INDEX adjustment_call ON adjustment (call_id);
CREATE INDEX adjustment_charged ON adjustment (charged_us);
CREATE INDEX adjustment_session ON adjustment (session_id);
CREATE FUNCTION adjustments_are_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'adjustments are insert-only' USING ERRCODE = 'integrity_constraint_violation';
END;
$$;
CREATE TRIGGER adjustment_is_never_changed BEFORE UPDATE OR DELETE ON adjustment
    FOR EACH ROW EXECUTE FUNCTION adjustments_are_insert_only();
CREATE TRIGGER adjustment_is_never_emptied BEFORE TRUNCATE ON adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION adjustments_are_insert_only();
