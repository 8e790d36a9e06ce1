-- Indexes in which hardly two entries are alike, since they hold a moment or a request's id: whenever a page of theirs is full,
-- Postgres looks through it in vain for entries to put together. For months that are there; gw.ledger.months says it of new ones.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN
        SELECT indexrelid::regclass FROM pg_index
        WHERE indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'call'::regclass)
            AND NOT indisunique AND pg_get_indexdef(indexrelid) ~ 'ended_us|charged_us|upstream_request_id'
    LOOP
        EXECUTE 'ALTER INDEX ' || name || ' SET (deduplicate_items = off)';
    END LOOP;
END
$$;
