-- Exports: what went out, and how far each has come. Times are UTC microseconds since 1970, 0 = not yet.
-- A run covers a closed range: of numbers (calls by seq, audit by id), both ends included, or of time (usage, focus), half-open.
-- `chain` is 1 for runs that follow each other without gap or overlap; the next begins behind the last of them.
CREATE TABLE export_run (
    id INTEGER NOT NULL PRIMARY KEY,
    export TEXT NOT NULL, -- name of the [[export]]
    what TEXT NOT NULL,
    chain INTEGER NOT NULL,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    revision INTEGER NOT NULL, -- of a period: 1 for its first export
    touched INTEGER NOT NULL, -- of a period: export_period.touched when it was planned
    status TEXT NOT NULL CHECK (status IN ('planned', 'running', 'failed', 'done')),
    reason TEXT NOT NULL, -- schedule, request, window
    asked_by TEXT NOT NULL,
    target TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL, -- of the last attempt
    planned_us INTEGER NOT NULL,
    begun_us INTEGER NOT NULL, -- the last attempt
    ended_us INTEGER NOT NULL,
    rows_count INTEGER NOT NULL,
    bytes_count INTEGER NOT NULL,
    objects_count INTEGER NOT NULL,
    totals TEXT NOT NULL, -- JSON: column -> sum, exact, in USD
    manifest TEXT NOT NULL -- its path below the target
);
CREATE INDEX export_run_export ON export_run (export, id);
CREATE INDEX export_run_open ON export_run (export, id) WHERE status <> 'done';

-- Every file that may lie at a target; written before the file is. `gone`: deleted, because another one stands in its place.
CREATE TABLE export_object (
    run_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('made', 'stored', 'gone', 'left')),
    rows_count INTEGER NOT NULL,
    bytes_count INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    first_number INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    PRIMARY KEY (run_id, target, path)
);

-- Periods (hours or days) in which there is something; due while touched > exported.
CREATE TABLE export_period (
    export TEXT NOT NULL,
    what TEXT NOT NULL,
    length_us INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    touched INTEGER NOT NULL, -- grows whenever rows of this period have come
    exported INTEGER NOT NULL, -- value of touched that the last finished run has seen
    revision INTEGER NOT NULL, -- of the last finished run
    PRIMARY KEY (export, what, length_us, start_us)
);
