-- What calls that are gone have used of budgets: per quarter of an hour (a time zone's days begin at one) and path of the call.
-- Amounts are nano-USD in two halves, high * 2**31 + low, as gw.ledger.sums makes them. The same twice is no mistake: rows add up.
CREATE TABLE spent_earlier (
    at_us BIGINT NOT NULL, -- beginning of the quarter in which it was charged
    customer TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    requested_model TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    cost_high BIGINT NOT NULL,
    cost_low BIGINT NOT NULL,
    worst_high BIGINT NOT NULL,
    worst_low BIGINT NOT NULL,
    last_us BIGINT NOT NULL -- when the latest of them was charged
);
CREATE INDEX spent_earlier_at ON spent_earlier (at_us);
CREATE INDEX spent_earlier_session ON spent_earlier (session_id);
