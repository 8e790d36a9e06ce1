-- Conversations. What the numbers and bytes mean stands in gw/content; times are UTC microseconds.

-- Each piece of text, and each list of such pieces, once. `hash` is keyed by a secret of the installation.
CREATE TABLE content_block (
    id BIGINT NOT NULL PRIMARY KEY, -- greater than those of all blocks that it lists
    hash BYTEA NOT NULL,
    kind SMALLINT NOT NULL, -- 0 text, 1 list, 2 frame of an event stream
    form SMALLINT NOT NULL, -- 0 as it is, 1 zstd
    key_number BIGINT NOT NULL, -- which key has encrypted it, 0 = none
    size BIGINT NOT NULL, -- of the text, in bytes
    data BYTEA NOT NULL
);
ALTER TABLE content_block ALTER COLUMN data SET STORAGE EXTERNAL; -- it is compressed already
CREATE UNIQUE INDEX content_block_hash ON content_block (hash);

-- Calls whose content is kept. A block of 0: there is none (yet).
CREATE TABLE content_call (
    id BIGINT NOT NULL PRIMARY KEY,
    call_id TEXT COLLATE "C" NOT NULL UNIQUE,
    started_us BIGINT NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    request_block BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL, -- as it came
    request_problem TEXT COLLATE "C" NOT NULL, -- why there is none: too_large, spool_full, spool_failed, unreadable; else ''
    answer_block BIGINT NOT NULL,
    answer_bytes BIGINT NOT NULL,
    answer_problem TEXT COLLATE "C" NOT NULL
);
CREATE INDEX content_call_started ON content_call (started_us);
CREATE INDEX content_call_key ON content_call (key_name, started_us);
CREATE INDEX content_call_team ON content_call (team, started_us);
CREATE INDEX content_call_session ON content_call (session_id);

-- What is indexed of a call: its words, zstd. The index itself keeps no text.
CREATE TABLE content_words (
    id BIGINT NOT NULL PRIMARY KEY, -- of the call
    words BYTEA NOT NULL
);
CREATE TABLE content_index (
    id BIGINT NOT NULL PRIMARY KEY, -- of the call
    words TSVECTOR NOT NULL
);
CREATE INDEX content_index_words ON content_index USING gin (words);

-- How far each segment of the spool is read; moves in the transaction of what was read from it.
CREATE TABLE content_segment (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    consumed_bytes BIGINT NOT NULL
);

-- Counters and marks, by name.
CREATE TABLE content_meta (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
