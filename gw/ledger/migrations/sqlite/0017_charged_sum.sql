-- What calls have used of budgets, summed up for the next start (gw/ledger/charged_sum.py): of the rows up to meta.charged_seq that
-- are there. unit: 1 = per hour, 24 = per day, 0 = per day of a session (elsewhere session_id is ''). at_us: its beginning (UTC), by
-- when calls were charged. Amounts are nano-USD in two halves, high * 2**31 + low, as gw.ledger.sums makes them.
CREATE TABLE charged_sum (
    unit INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    customer TEXT NOT NULL,
    team TEXT NOT NULL,
    key_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    upstream TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    project TEXT NOT NULL,
    cost_high INTEGER NOT NULL,
    cost_low INTEGER NOT NULL,
    worst_high INTEGER NOT NULL,
    worst_low INTEGER NOT NULL,
    last_us INTEGER NOT NULL, -- when the latest of them was charged
    PRIMARY KEY (unit, at_us, session_id, customer, team, key_name, key_id, upstream, requested_model, project)
) WITHOUT ROWID;
CREATE INDEX charged_sum_session ON charged_sum (session_id) WHERE session_id <> '';
