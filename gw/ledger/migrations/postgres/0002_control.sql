-- What the control API and the command line define, beside config.toml. Times are UTC microseconds since 1970.
-- `version` of a row is the value of meta.control_version after the change that wrote it: it grows over all rows, so that no
-- version ever stands for two states of one name.
CREATE TABLE definition (
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('customer', 'team', 'budget', 'limit')),
    name TEXT COLLATE "C" NOT NULL,
    fields TEXT COLLATE "C" NOT NULL, -- JSON object: the keys of the table of config.toml that were set
    version BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Amounts are decimal text in USD, '' = none.
ALTER TABLE virtual_key ADD COLUMN active BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE virtual_key ADD COLUMN max_cost_usd TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE virtual_key ADD COLUMN max_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE virtual_key ADD COLUMN session_limit_usd TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE virtual_key ADD COLUMN owner TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE virtual_key ADD COLUMN updated_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE virtual_key ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

-- Secrets that a rotation has replaced: the keyed digest (hex), never the secret; good until then.
CREATE TABLE key_secret (
    digest TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    public_id TEXT COLLATE "C" NOT NULL,
    until_us BIGINT NOT NULL
);
CREATE INDEX key_secret_public_id ON key_secret (public_id);

-- Every change and who made it: written once, in the transaction of the change. before_json and after_json are the fields as
-- they were and are, without secrets; '' = there was or is none.
CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_us BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    via TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    before_json TEXT COLLATE "C" NOT NULL,
    after_json TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_name ON audit (kind, name, id);
CREATE FUNCTION audit_is_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is insert-only' USING ERRCODE = 'integrity_constraint_violation';
END;
$$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_insert_only();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_insert_only();
