-- What Claude Code reports of itself. Times are UTC microseconds since 1970, money is pico-USD. Every row belongs to the virtual key
-- that was shown with it; what the client says of who it is is not kept.
CREATE TABLE telemetry_event (
    session_id TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    team TEXT NOT NULL,
    customer TEXT NOT NULL,
    project TEXT NOT NULL,
    prompt_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    model TEXT NOT NULL,
    tool TEXT NOT NULL,
    mcp_server TEXT NOT NULL,
    mcp_tool TEXT NOT NULL,
    skill TEXT NOT NULL,
    decision TEXT NOT NULL,
    source TEXT NOT NULL,
    success INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    estimated_pusd INTEGER NOT NULL,
    more TEXT NOT NULL,
    PRIMARY KEY (session_id, at_us, sequence, name, key_id)
);
CREATE INDEX telemetry_event_at ON telemetry_event (at_us);

-- Sums of a session's day (UTC), by what its metrics said.
CREATE TABLE telemetry_session (
    day_us INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    team TEXT NOT NULL,
    customer TEXT NOT NULL,
    project TEXT NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    sessions INTEGER NOT NULL DEFAULT 0,
    lines_added INTEGER NOT NULL DEFAULT 0,
    lines_removed INTEGER NOT NULL DEFAULT 0,
    commits INTEGER NOT NULL DEFAULT 0,
    pull_requests INTEGER NOT NULL DEFAULT 0,
    edits_accepted INTEGER NOT NULL DEFAULT 0,
    edits_rejected INTEGER NOT NULL DEFAULT 0,
    active_user_ms INTEGER NOT NULL DEFAULT 0,
    active_cli_ms INTEGER NOT NULL DEFAULT 0,
    estimated_pusd INTEGER NOT NULL DEFAULT 0,
    prompts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, key_id, day_us)
);
CREATE INDEX telemetry_session_day ON telemetry_session (day_us);

-- Sums of a tool's use in a session's day.
CREATE TABLE telemetry_tool (
    day_us INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    team TEXT NOT NULL,
    customer TEXT NOT NULL,
    project TEXT NOT NULL,
    tool TEXT NOT NULL,
    mcp_server TEXT NOT NULL,
    skill TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, key_id, day_us, tool, mcp_server, skill)
);
CREATE INDEX telemetry_tool_day ON telemetry_tool (day_us);

-- How far each series of a metric is counted: a point that comes twice counts once, and a cumulative one by its growth.
CREATE TABLE telemetry_series (
    session_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    series TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (session_id, key_id, series)
);
CREATE INDEX telemetry_series_last ON telemetry_series (last_us);

-- How far each file of the spool is read, and sent on.
CREATE TABLE telemetry_spool (
    name TEXT NOT NULL PRIMARY KEY,
    kept_bytes INTEGER NOT NULL DEFAULT 0,
    sent_bytes INTEGER NOT NULL DEFAULT 0
);
