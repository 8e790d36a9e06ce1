-- What the control API asks of the courier. Times are UTC microseconds since 1970, 0 = not yet; fields and answer are JSON.
CREATE TABLE errand (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    fields TEXT COLLATE "C" NOT NULL,
    asked_us BIGINT NOT NULL,
    asked_by TEXT COLLATE "C" NOT NULL,
    taken_us BIGINT NOT NULL,
    done_us BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    answer TEXT COLLATE "C" NOT NULL
);
CREATE INDEX errand_asked ON errand (asked_us);
CREATE INDEX errand_waiting ON errand (asked_us) WHERE done_us = 0;
