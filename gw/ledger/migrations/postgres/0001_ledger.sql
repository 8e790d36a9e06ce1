-- The ledger. One row per call, written once and never changed; columns in the order of gw.domain.call.CallRecord, those that
-- came later at the end. Times are UTC microseconds since 1970, money is pico-USD, digests are lower-case hex. Text is ordered
-- by its bytes, as in SQLite.
--
-- Partitioned by the month (UTC) in which a call began, so that an old month goes by one DROP. A unique key of a partitioned
-- table must hold what it is partitioned by; a call has one beginning, which stands in its `open` frame and in its record
-- alike, so (call_id, started_us) tells calls apart just as call_id does. Partitions are made by gw.ledger.months.
--
-- rowid: the order in which rows came, as SQLite counts it; given by the one writer.
CREATE TABLE call (
    call_id TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    started_us BIGINT NOT NULL,
    first_byte_us BIGINT NOT NULL,
    first_token_us BIGINT NOT NULL,
    ended_us BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    customer TEXT COLLATE "C" NOT NULL,
    credential TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    agent_id TEXT COLLATE "C" NOT NULL,
    parent_agent_id TEXT COLLATE "C" NOT NULL,
    prompt_id TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    tags TEXT COLLATE "C" NOT NULL,
    client_version TEXT COLLATE "C" NOT NULL,
    requested_model TEXT COLLATE "C" NOT NULL,
    served_model TEXT COLLATE "C" NOT NULL,
    stream BOOLEAN NOT NULL,
    stop_reason TEXT COLLATE "C" NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_5m_tokens BIGINT NOT NULL,
    cache_write_1h_tokens BIGINT NOT NULL,
    thinking_tokens BIGINT NOT NULL,
    web_search_requests BIGINT NOT NULL,
    web_fetch_requests BIGINT NOT NULL,
    code_execution_requests BIGINT NOT NULL,
    service_tier TEXT COLLATE "C" NOT NULL,
    speed TEXT COLLATE "C" NOT NULL,
    inference_geo TEXT COLLATE "C" NOT NULL,
    iterations TEXT COLLATE "C" NOT NULL,
    usage_source TEXT COLLATE "C" NOT NULL,
    usage_flags TEXT COLLATE "C" NOT NULL,
    list_pusd BIGINT NOT NULL,
    billed_pusd BIGINT NOT NULL,
    input_pusd BIGINT NOT NULL,
    output_pusd BIGINT NOT NULL,
    cache_read_pusd BIGINT NOT NULL,
    cache_write_5m_pusd BIGINT NOT NULL,
    cache_write_1h_pusd BIGINT NOT NULL,
    tools_pusd BIGINT NOT NULL,
    other_pusd BIGINT NOT NULL,
    price_version TEXT COLLATE "C" NOT NULL,
    upstream_status BIGINT NOT NULL,
    upstream_request_id TEXT COLLATE "C" NOT NULL,
    retries BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    gw_version TEXT COLLATE "C" NOT NULL DEFAULT '',
    worker TEXT COLLATE "C" NOT NULL DEFAULT '',
    rowid BIGINT NOT NULL,
    PRIMARY KEY (call_id, started_us)
) PARTITION BY RANGE (started_us);
CREATE INDEX call_rowid ON call (rowid);
CREATE INDEX call_ended ON call (ended_us);
CREATE INDEX call_team_ended ON call (team, ended_us);
CREATE INDEX call_key_ended ON call (key_id, ended_us);
CREATE INDEX call_session ON call (session_id);

-- How far each journal segment is read; moves in the same transaction as the rows that were read from it.
CREATE TABLE journal_segment (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    consumed_bytes BIGINT NOT NULL,
    sealed BOOLEAN NOT NULL
);

-- Calls that were begun and have no final record yet. What is left of a dead worker here is settled as observed.
CREATE TABLE open_call (
    call_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    boot TEXT COLLATE "C" NOT NULL,
    header BYTEA NOT NULL,
    payload BYTEA NOT NULL
);
CREATE INDEX open_call_boot ON open_call (boot);

-- Virtual keys: the keyed digest (hex), never the key. models and upstreams are JSON arrays of globs; 0 us = never.
CREATE TABLE virtual_key (
    public_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    models TEXT COLLATE "C" NOT NULL,
    upstreams TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    revoked_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX virtual_key_name ON virtual_key (name) WHERE revoked_us = 0;

-- Counters and marks of the ledger itself, by name.
CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
