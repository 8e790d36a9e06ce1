-- Rows of one request (gw/ledger/request_attempts.py), and what upstreams failed lately. Few calls have either.
CREATE INDEX call_attempt_of ON call (attempt_of) WHERE attempt_of <> '';
CREATE INDEX call_attempts ON call (ended_us) WHERE attempts <> '';
