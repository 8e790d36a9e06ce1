-- Conversations, in a file of their own. What the numbers and bytes mean stands in gw/content; times are UTC microseconds.

-- Each piece of text, and each list of such pieces, once. `hash` is keyed by a secret of the installation.
CREATE TABLE content_block (
    id INTEGER NOT NULL PRIMARY KEY, -- greater than those of all blocks that it lists
    hash BLOB NOT NULL,
    kind INTEGER NOT NULL, -- 0 text, 1 list, 2 frame of an event stream
    form INTEGER NOT NULL, -- 0 as it is, 1 zstd
    key_number INTEGER NOT NULL, -- which key has encrypted it, 0 = none
    size INTEGER NOT NULL, -- of the text, in bytes
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX content_block_hash ON content_block (hash);

-- Calls whose content is kept. A block of 0: there is none (yet).
CREATE TABLE content_call (
    id INTEGER NOT NULL PRIMARY KEY,
    call_id TEXT NOT NULL UNIQUE,
    started_us INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    team TEXT NOT NULL,
    session_id TEXT NOT NULL,
    request_block INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL, -- as it came
    request_problem TEXT NOT NULL, -- why there is none: too_large, spool_full, spool_failed, unreadable; else ''
    answer_block INTEGER NOT NULL,
    answer_bytes INTEGER NOT NULL,
    answer_problem TEXT NOT NULL
);
CREATE INDEX content_call_started ON content_call (started_us);
CREATE INDEX content_call_key ON content_call (key_name, started_us);
CREATE INDEX content_call_team ON content_call (team, started_us);
CREATE INDEX content_call_session ON content_call (session_id);

-- What is indexed of a call: its words, zstd. The index itself keeps no text, and must be told what to forget.
CREATE TABLE content_words (
    id INTEGER NOT NULL PRIMARY KEY, -- of the call
    words BLOB NOT NULL
);
CREATE VIRTUAL TABLE content_index USING fts5 (words, content = '', tokenize = 'unicode61 remove_diacritics 0');

-- How far each segment of the spool is read; moves in the transaction of what was read from it.
CREATE TABLE content_segment (
    name TEXT NOT NULL PRIMARY KEY,
    consumed_bytes INTEGER NOT NULL
);

-- Counters and marks, by name.
CREATE TABLE content_meta (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);
