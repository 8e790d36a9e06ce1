-- What Claude Code reports of itself. Times are UTC microseconds since 1970, money is pico-USD. Every row belongs to the virtual key
-- that was shown with it; what the client says of who it is is not kept.
CREATE TABLE telemetry_event (
    session_id TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    customer TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    prompt_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    tool TEXT COLLATE "C" NOT NULL,
    mcp_server TEXT COLLATE "C" NOT NULL,
    mcp_tool TEXT COLLATE "C" NOT NULL,
    skill TEXT COLLATE "C" NOT NULL,
    decision TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    success BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    estimated_pusd BIGINT NOT NULL,
    more TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (session_id, at_us, sequence, name, key_id)
);
CREATE INDEX telemetry_event_at ON telemetry_event (at_us);

-- Sums of a session's day (UTC), by what its metrics said.
CREATE TABLE telemetry_session (
    day_us BIGINT NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    customer TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    sessions BIGINT NOT NULL DEFAULT 0,
    lines_added BIGINT NOT NULL DEFAULT 0,
    lines_removed BIGINT NOT NULL DEFAULT 0,
    commits BIGINT NOT NULL DEFAULT 0,
    pull_requests BIGINT NOT NULL DEFAULT 0,
    edits_accepted BIGINT NOT NULL DEFAULT 0,
    edits_rejected BIGINT NOT NULL DEFAULT 0,
    active_user_ms BIGINT NOT NULL DEFAULT 0,
    active_cli_ms BIGINT NOT NULL DEFAULT 0,
    estimated_pusd BIGINT NOT NULL DEFAULT 0,
    prompts BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, key_id, day_us)
);
CREATE INDEX telemetry_session_day ON telemetry_session (day_us);

-- Sums of a tool's use in a session's day.
CREATE TABLE telemetry_tool (
    day_us BIGINT NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    customer TEXT COLLATE "C" NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    tool TEXT COLLATE "C" NOT NULL,
    mcp_server TEXT COLLATE "C" NOT NULL,
    skill TEXT COLLATE "C" NOT NULL,
    calls BIGINT NOT NULL DEFAULT 0,
    failures BIGINT NOT NULL DEFAULT 0,
    duration_ms BIGINT NOT NULL DEFAULT 0,
    accepted BIGINT NOT NULL DEFAULT 0,
    rejected BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, key_id, day_us, tool, mcp_server, skill)
);
CREATE INDEX telemetry_tool_day ON telemetry_tool (day_us);

-- How far each series of a metric is counted: a point that comes twice counts once, and a cumulative one by its growth.
CREATE TABLE telemetry_series (
    session_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    series TEXT COLLATE "C" NOT NULL,
    start_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (session_id, key_id, series)
);
CREATE INDEX telemetry_series_last ON telemetry_series (last_us);

-- How far each file of the spool is read, and sent on.
CREATE TABLE telemetry_spool (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kept_bytes BIGINT NOT NULL DEFAULT 0,
    sent_bytes BIGINT NOT NULL DEFAULT 0
);
