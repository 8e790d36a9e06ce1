-- What the control API and the command line define, beside config.toml. Times are UTC microseconds since 1970.
-- `version` of a row is the value of meta.control_version after the change that wrote it: it grows over all rows, so that no
-- version ever stands for two states of one name.
CREATE TABLE definition (
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'team', 'budget', 'limit')),
    name TEXT NOT NULL,
    fields TEXT NOT NULL, -- JSON object: the keys of the table of config.toml that were set
    version INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Amounts are decimal text in USD, '' = none.
ALTER TABLE virtual_key ADD COLUMN active INTEGER NOT NULL DEFAULT 1;
ALTER TABLE virtual_key ADD COLUMN max_cost_usd TEXT NOT NULL DEFAULT '';
ALTER TABLE virtual_key ADD COLUMN max_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE virtual_key ADD COLUMN session_limit_usd TEXT NOT NULL DEFAULT '';
ALTER TABLE virtual_key ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE virtual_key ADD COLUMN updated_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE virtual_key ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
UPDATE virtual_key SET updated_us = max(created_us, revoked_us);

-- Secrets that a rotation has replaced: the keyed digest (hex), never the secret; good until then.
CREATE TABLE key_secret (
    digest TEXT NOT NULL PRIMARY KEY,
    public_id TEXT NOT NULL,
    until_us INTEGER NOT NULL
);
CREATE INDEX key_secret_public_id ON key_secret (public_id);

-- Every change and who made it: written once, in the transaction of the change. before_json and after_json are the fields as
-- they were and are, without secrets; '' = there was or is none.
CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    before_json TEXT NOT NULL,
    after_json TEXT NOT NULL
);
CREATE INDEX audit_name ON audit (kind, name, id);
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit is insert-only');
END;
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN
    SELECT raise(ABORT, 'the audit is insert-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN
    SELECT raise(ABORT, 'the audit is insert-only');
END;

-- One version for all of it.
UPDATE meta SET name = 'control_version' WHERE name = 'keys_version';
UPDATE virtual_key SET version = coalesce((SELECT value FROM meta WHERE name = 'control_version'), 0);
