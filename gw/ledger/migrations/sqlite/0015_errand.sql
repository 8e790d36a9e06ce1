-- What the control API asks of the courier. Times are UTC microseconds since 1970, 0 = not yet; fields and answer are JSON.
CREATE TABLE errand (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    fields TEXT NOT NULL,
    asked_us INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    taken_us INTEGER NOT NULL,
    done_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX errand_asked ON errand (asked_us);
CREATE INDEX errand_waiting ON errand (asked_us) WHERE done_us = 0;
