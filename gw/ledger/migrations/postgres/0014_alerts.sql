-- What alerts have decided, what was told, and what is yet to be sent. Times are UTC microseconds since 1970, 0 = not yet or never.

-- One row per thing that a rule was ever about and is not forgotten: what gw/alerts/decide.py goes by.
CREATE TABLE alert_state (
    fingerprint TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    rule TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    firing BIGINT NOT NULL,
    level BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    mark BIGINT NOT NULL,
    since_us BIGINT NOT NULL,
    off_us BIGINT NOT NULL,
    over_us BIGINT NOT NULL,
    told_us BIGINT NOT NULL,
    alert_id BIGINT NOT NULL
);
CREATE INDEX alert_state_rule ON alert_state (rule);

-- Every alert that there was.
CREATE TABLE alert (
    id BIGINT NOT NULL PRIMARY KEY,
    rule TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    severity TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    facts TEXT COLLATE "C" NOT NULL, -- JSON: [[label, value], ...]
    advice TEXT COLLATE "C" NOT NULL,
    level BIGINT NOT NULL,
    fired_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    resolved_us BIGINT NOT NULL,
    told_us BIGINT NOT NULL, -- 0: it was silenced
    acknowledged_us BIGINT NOT NULL,
    acknowledged_by TEXT COLLATE "C" NOT NULL
);
CREATE INDEX alert_fired ON alert (fired_us);
CREATE INDEX alert_rule ON alert (rule, id);

-- Rules, or single things that they are about, of which nothing is to be said for a while.
CREATE TABLE alert_silence (
    rule TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL, -- '' = all of the rule
    until_us BIGINT NOT NULL,
    made_us BIGINT NOT NULL,
    made_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (rule, fingerprint)
);

-- What is to be sent, written with the decision; `id` goes with it, however often it is tried.
CREATE TABLE alert_outbox (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    channel TEXT COLLATE "C" NOT NULL,
    alert_id BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    notice TEXT COLLATE "C" NOT NULL, -- JSON
    made_us BIGINT NOT NULL,
    due_us BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    done_us BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL, -- sent, or given up
    said TEXT COLLATE "C" NOT NULL -- what the channel answered last
);
CREATE INDEX alert_outbox_due ON alert_outbox (due_us) WHERE done_us = 0;
CREATE INDEX alert_outbox_alert ON alert_outbox (alert_id);
