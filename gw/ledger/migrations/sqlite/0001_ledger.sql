-- The ledger. One row per call, written once and never changed; columns in the order of gw.domain.call.CallRecord.
-- Times are UTC microseconds since 1970, money is pico-USD, digests are lower-case hex.
CREATE TABLE call (
    call_id TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    first_byte_us INTEGER NOT NULL,
    first_token_us INTEGER NOT NULL,
    ended_us INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    error TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    team TEXT NOT NULL,
    customer TEXT NOT NULL,
    credential TEXT NOT NULL,
    upstream TEXT NOT NULL,
    session_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    parent_agent_id TEXT NOT NULL,
    prompt_id TEXT NOT NULL,
    device TEXT NOT NULL,
    project TEXT NOT NULL,
    tags TEXT NOT NULL,
    client_version TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    served_model TEXT NOT NULL,
    stream INTEGER NOT NULL,
    stop_reason TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    thinking_tokens INTEGER NOT NULL,
    web_search_requests INTEGER NOT NULL,
    web_fetch_requests INTEGER NOT NULL,
    code_execution_requests INTEGER NOT NULL,
    service_tier TEXT NOT NULL,
    speed TEXT NOT NULL,
    inference_geo TEXT NOT NULL,
    iterations TEXT NOT NULL,
    usage_source TEXT NOT NULL,
    usage_flags TEXT NOT NULL,
    list_pusd INTEGER NOT NULL,
    billed_pusd INTEGER NOT NULL,
    input_pusd INTEGER NOT NULL,
    output_pusd INTEGER NOT NULL,
    cache_read_pusd INTEGER NOT NULL,
    cache_write_5m_pusd INTEGER NOT NULL,
    cache_write_1h_pusd INTEGER NOT NULL,
    tools_pusd INTEGER NOT NULL,
    other_pusd INTEGER NOT NULL,
    price_version TEXT NOT NULL,
    upstream_status INTEGER NOT NULL,
    upstream_request_id TEXT NOT NULL,
    retries INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    gw_version TEXT NOT NULL DEFAULT '',
    worker TEXT NOT NULL DEFAULT ''
);
CREATE INDEX call_ended ON call (ended_us);
CREATE INDEX call_team_ended ON call (team, ended_us);
CREATE INDEX call_key_ended ON call (key_id, ended_us);
CREATE INDEX call_session ON call (session_id);

-- How far each journal segment is read; moves in the same transaction as the rows that were read from it.
CREATE TABLE journal_segment (
    name TEXT NOT NULL PRIMARY KEY,
    consumed_bytes INTEGER NOT NULL,
    sealed INTEGER NOT NULL
);

-- Calls that were begun and have no final record yet. What is left of a dead worker here is settled as observed.
CREATE TABLE open_call (
    call_id TEXT NOT NULL PRIMARY KEY,
    boot TEXT NOT NULL,
    header BLOB NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX open_call_boot ON open_call (boot);

-- Virtual keys: the keyed digest (hex), never the key. models and upstreams are JSON arrays of globs; 0 us = never.
CREATE TABLE virtual_key (
    public_id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    team TEXT NOT NULL,
    models TEXT NOT NULL,
    upstreams TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    revoked_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX virtual_key_name ON virtual_key (name) WHERE revoked_us = 0;

-- Counters and marks of the ledger itself, by name.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
);
