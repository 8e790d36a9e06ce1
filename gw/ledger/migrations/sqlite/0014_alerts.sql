-- What alerts have decided, what was told, and what is yet to be sent. Times are UTC microseconds since 1970, 0 = not yet or never.

-- One row per thing that a rule was ever about and is not forgotten: what gw/alerts/decide.py goes by.
CREATE TABLE alert_state (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    firing INTEGER NOT NULL,
    level INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    off_us INTEGER NOT NULL,
    over_us INTEGER NOT NULL,
    told_us INTEGER NOT NULL,
    alert_id INTEGER NOT NULL
);
CREATE INDEX alert_state_rule ON alert_state (rule);

-- Every alert that there was.
CREATE TABLE alert (
    id INTEGER NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    subject TEXT NOT NULL,
    severity TEXT NOT NULL,
    title TEXT NOT NULL,
    facts TEXT NOT NULL, -- JSON: [[label, value], ...]
    advice TEXT NOT NULL,
    level INTEGER NOT NULL,
    fired_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    resolved_us INTEGER NOT NULL,
    told_us INTEGER NOT NULL, -- 0: it was silenced
    acknowledged_us INTEGER NOT NULL,
    acknowledged_by TEXT NOT NULL
);
CREATE INDEX alert_fired ON alert (fired_us);
CREATE INDEX alert_rule ON alert (rule, id);

-- Rules, or single things that they are about, of which nothing is to be said for a while.
CREATE TABLE alert_silence (
    rule TEXT NOT NULL,
    fingerprint TEXT NOT NULL, -- '' = all of the rule
    until_us INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (rule, fingerprint)
);

-- What is to be sent, written with the decision; `id` goes with it, however often it is tried.
CREATE TABLE alert_outbox (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    alert_id INTEGER NOT NULL,
    event TEXT NOT NULL,
    notice TEXT NOT NULL, -- JSON
    made_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    done_us INTEGER NOT NULL,
    outcome TEXT NOT NULL, -- sent, or given up
    said TEXT NOT NULL -- what the channel answered last
);
CREATE INDEX alert_outbox_due ON alert_outbox (due_us) WHERE done_us = 0;
CREATE INDEX alert_outbox_alert ON alert_outbox (alert_id);
