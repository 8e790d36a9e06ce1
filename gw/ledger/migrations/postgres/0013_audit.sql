-- The audit as a chain: each row holds the hash of the one before it (gw/ledger/audit.py says of what). Rows of earlier versions
-- have none until the first change after this; they are given theirs then, once, and nothing else of them may change.
-- Numbers are given by gw, in the transaction of the change: a rolled back one leaves no gap.
ALTER TABLE audit ALTER COLUMN id DROP IDENTITY;
ALTER TABLE audit ADD COLUMN prev_hash TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE OR REPLACE FUNCTION audit_is_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.hash = '' AND NEW.hash <> ''
            AND (NEW.id, NEW.at_us, NEW.actor, NEW.via, NEW.action, NEW.kind, NEW.name, NEW.before_json, NEW.after_json)
            = (OLD.id, OLD.at_us, OLD.actor, OLD.via, OLD.action, OLD.kind, OLD.name, OLD.before_json, OLD.after_json)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit is insert-only' USING ERRCODE = 'integrity_constraint_violation';
END;
$$;

-- The last row of the chain as gw wrote it: moves in the same transaction. `sealed_id`: the last row that was there before.
CREATE TABLE audit_head (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    id BIGINT NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    sealed_id BIGINT NOT NULL
);

CREATE FUNCTION is_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END;
$$;

-- Signed by the courier once a day: what stood in the audit, row by row ('id:digest,...'), and how far the ledger's own chain went.
CREATE TABLE audit_anchor (
    id BIGINT NOT NULL PRIMARY KEY,
    at_us BIGINT NOT NULL,
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    digests TEXT COLLATE "C" NOT NULL,
    ledger_id BIGINT NOT NULL, -- the last block of the ledger's chain; 0 = none
    ledger_hash TEXT COLLATE "C" NOT NULL,
    ledger_digests TEXT COLLATE "C" NOT NULL, -- of the blocks since the anchor before
    previous TEXT COLLATE "C" NOT NULL, -- digest of the anchor before it
    algorithm TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    signature TEXT COLLATE "C" NOT NULL
);
CREATE TRIGGER audit_anchor_is_never_changed BEFORE UPDATE OR DELETE ON audit_anchor
    FOR EACH ROW EXECUTE FUNCTION is_insert_only();
CREATE TRIGGER audit_anchor_is_never_emptied BEFORE TRUNCATE ON audit_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION is_insert_only();

-- The same chain over calls, where it is configured: closed ranges of call.seq, with some bytes for each row of them.
CREATE TABLE ledger_block (
    id BIGINT NOT NULL PRIMARY KEY,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    column_count BIGINT NOT NULL, -- of CallRecord, which only grows: what the digests are of
    marks BYTEA NOT NULL, -- per row: offset of its seq, minute of its beginning, digest
    prev_hash TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL
);
CREATE TRIGGER ledger_block_is_never_changed BEFORE UPDATE OR DELETE ON ledger_block
    FOR EACH ROW EXECUTE FUNCTION is_insert_only();
CREATE TRIGGER ledger_block_is_never_emptied BEFORE TRUNCATE ON ledger_block
    FOR EACH STATEMENT EXECUTE FUNCTION is_insert_only();
