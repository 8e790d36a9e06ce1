-- The audit as a chain: each row holds the hash of the one before it (gw/ledger/audit.py says of what). Rows of earlier versions
-- have none until the first change after this; they are given theirs then, once, and nothing else of them may change.
ALTER TABLE audit ADD COLUMN prev_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
DROP TRIGGER audit_is_never_updated;
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
WHEN OLD.hash <> '' OR NEW.hash = '' OR NEW.id <> OLD.id OR NEW.at_us <> OLD.at_us OR NEW.actor <> OLD.actor OR NEW.via <> OLD.via
    OR NEW.action <> OLD.action OR NEW.kind <> OLD.kind OR NEW.name <> OLD.name OR NEW.before_json <> OLD.before_json
    OR NEW.after_json <> OLD.after_json
BEGIN
    SELECT raise(ABORT, 'the audit is insert-only');
END;

-- The last row of the chain as gw wrote it: moves in the same transaction. `sealed_id`: the last row that was there before.
CREATE TABLE audit_head (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id INTEGER NOT NULL,
    hash TEXT NOT NULL,
    sealed_id INTEGER NOT NULL
);

-- Signed by the courier once a day: what stood in the audit, row by row ('id:digest,...'), and how far the ledger's own chain went.
CREATE TABLE audit_anchor (
    id INTEGER NOT NULL PRIMARY KEY,
    at_us INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    hash TEXT NOT NULL,
    digests TEXT NOT NULL,
    ledger_id INTEGER NOT NULL, -- the last block of the ledger's chain; 0 = none
    ledger_hash TEXT NOT NULL,
    ledger_digests TEXT NOT NULL, -- of the blocks since the anchor before
    previous TEXT NOT NULL, -- digest of the anchor before it
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL
);
CREATE TRIGGER audit_anchor_is_never_updated BEFORE UPDATE ON audit_anchor BEGIN
    SELECT raise(ABORT, 'anchors are insert-only');
END;
CREATE TRIGGER audit_anchor_is_never_deleted BEFORE DELETE ON audit_anchor BEGIN
    SELECT raise(ABORT, 'anchors are insert-only');
END;

-- The same chain over calls, where it is configured: closed ranges of call.seq, with some bytes for each row of them.
CREATE TABLE ledger_block (
    id INTEGER NOT NULL PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    column_count INTEGER NOT NULL, -- of CallRecord, which only grows: what the digests are of
    marks BLOB NOT NULL, -- per row: offset of its seq, minute of its beginning, digest
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TRIGGER ledger_block_is_never_updated BEFORE UPDATE ON ledger_block BEGIN
    SELECT raise(ABORT, 'blocks are insert-only');
END;
CREATE TRIGGER ledger_block_is_never_deleted BEFORE DELETE ON ledger_block BEGIN
    SELECT raise(ABORT, 'blocks are insert-only');
END;
