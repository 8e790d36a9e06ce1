-- What calls that are gone have used of budgets: per quarter of an hour (a time zone's days begin at one) and path of the call.
-- Amounts are nano-USD in two halves, high * 2**31 + low, as gw.ledger.sums makes them. The same twice is no mistake: rows add up.
CREATE TABLE spent_earlier (
    at_us INTEGER NOT NULL, -- beginning of the quarter in which it was charged
    customer TEXT NOT NULL,
    team TEXT NOT NULL,
    key_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    upstream TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    project TEXT NOT NULL,
    session_id TEXT NOT NULL,
    cost_high INTEGER NOT NULL,
    cost_low INTEGER NOT NULL,
    worst_high INTEGER NOT NULL,
    worst_low INTEGER NOT NULL,
    last_us INTEGER NOT NULL -- when the latest of them was charged
);
CREATE INDEX spent_earlier_at ON spent_earlier (at_us);
CREATE INDEX spent_earlier_session ON spent_earlier (session_id);
