-- Calls of each day (UTC, since 1970, by their end) by what they cost, by their tokens and by how long they took
-- (gw/ledger/log_days.py). The expressions are those of the log's columns (gw/ledger/log_columns.py). That of the dearest calls,
-- whose bound was too high for most ledgers, goes.
DROP INDEX IF EXISTS call_log_dear;
CREATE INDEX call_by_cost ON call ((ended_us / 86400000000), billed_pusd, seq, ended_us);
CREATE INDEX call_by_tokens ON call (
    (ended_us / 86400000000),
    (input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens),
    seq,
    ended_us
);
CREATE INDEX call_by_duration ON call (
    (ended_us / 86400000000),
    ((CASE WHEN ended_us > started_us THEN ended_us - started_us ELSE 0 END) / 1000),
    seq,
    ended_us
);
