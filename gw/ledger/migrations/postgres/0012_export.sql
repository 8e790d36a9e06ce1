-- Exports: what went out, and how far each has come. Times are UTC microseconds since 1970, 0 = not yet.
-- A run covers a closed range: of numbers (calls by seq, audit by id), both ends included, or of time (usage, focus), half-open.
-- `chain` is 1 for runs that follow each other without gap or overlap; the next begins behind the last of them.
CREATE TABLE export_run (
    id BIGINT NOT NULL PRIMARY KEY,
    export TEXT COLLATE "C" NOT NULL, -- name of the [[export]]
    what TEXT COLLATE "C" NOT NULL,
    chain BIGINT NOT NULL,
    low BIGINT NOT NULL,
    high BIGINT NOT NULL,
    revision BIGINT NOT NULL, -- of a period: 1 for its first export
    touched BIGINT NOT NULL, -- of a period: export_period.touched when it was planned
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('planned', 'running', 'failed', 'done')),
    reason TEXT COLLATE "C" NOT NULL, -- schedule, request, window
    asked_by TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT COLLATE "C" NOT NULL, -- of the last attempt
    planned_us BIGINT NOT NULL,
    begun_us BIGINT NOT NULL, -- the last attempt
    ended_us BIGINT NOT NULL,
    rows_count BIGINT NOT NULL,
    bytes_count BIGINT NOT NULL,
    objects_count BIGINT NOT NULL,
    totals TEXT COLLATE "C" NOT NULL, -- JSON: column -> sum, exact, in USD
    manifest TEXT COLLATE "C" NOT NULL -- its path below the target
);
CREATE INDEX export_run_export ON export_run (export, id);
CREATE INDEX export_run_open ON export_run (export, id) WHERE status <> 'done';

-- Every file that may lie at a target; written before the file is. `gone`: deleted, because another one stands in its place.
CREATE TABLE export_object (
    run_id BIGINT NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('made', 'stored', 'gone', 'left')),
    rows_count BIGINT NOT NULL,
    bytes_count BIGINT NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    first_number BIGINT NOT NULL,
    last_number BIGINT NOT NULL,
    PRIMARY KEY (run_id, target, path)
);

-- Periods (hours or days) in which there is something; due while touched > exported.
CREATE TABLE export_period (
    export TEXT COLLATE "C" NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    length_us BIGINT NOT NULL,
    start_us BIGINT NOT NULL,
    touched BIGINT NOT NULL, -- grows whenever rows of this period have come
    exported BIGINT NOT NULL, -- value of touched that the last finished run has seen
    revision BIGINT NOT NULL, -- of the last finished run
    PRIMARY KEY (export, what, length_us, start_us)
);
