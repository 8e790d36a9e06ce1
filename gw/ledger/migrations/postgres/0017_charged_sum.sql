-- What calls have used of budgets, summed up for the next start (gw/ledger/charged_sum.py): of the rows up to meta.charged_seq that
-- are there. unit: 1 = per hour, 24 = per day, 0 = per day of a session (elsewhere session_id is ''). at_us: its beginning (UTC), by
-- when calls were charged. Amounts are nano-USD in two halves, high * 2**31 + low, as gw.ledger.sums makes them.
CREATE TABLE charged_sum (
    unit BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    customer TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    requested_model TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    cost_high BIGINT NOT NULL,
    cost_low BIGINT NOT NULL,
    worst_high BIGINT NOT NULL,
    worst_low BIGINT NOT NULL,
    last_us BIGINT NOT NULL, -- when the latest of them was charged
    PRIMARY KEY (unit, at_us, session_id, customer, team, key_name, key_id, upstream, requested_model, project)
) WITH (fillfactor = 80);
CREATE INDEX charged_sum_session ON charged_sum (session_id) WHERE session_id <> '';
