"""What Claude Code reports of itself, as nouns: counts by session, and events. Times are UTC microseconds, money is pico-USD."""

from msgspec import Struct

# Columns of sums -> what they count.
TOTALS = (
    "sessions",  # begun
    "lines_added",
    "lines_removed",
    "commits",
    "pull_requests",
    "edits_accepted",  # of edits that it asked leave for
    "edits_rejected",
    "active_user_ms",  # typing, reading
    "active_cli_ms",  # tools, answers
    "estimated_pusd",  # the client's own guess; the ledger knows better
)


class Owner(Struct, frozen=True):
    """Whose virtual key was shown."""

    key_id: str
    key_name: str
    team: str
    customer: str


class Count(Struct, frozen=True):
    """One point of one series of a metric that gw keeps. `start_us` and `at_us`: of the span that it sums over."""

    session_id: str
    project: str  # as the client names it, "" if it does not
    total: str  # one of TOTALS
    series: str  # a digest of what tells its series from others
    value: int
    start_us: int
    at_us: int
    cumulative: bool  # since `start_us`; else since the point before


class Event(Struct, frozen=True):
    """Something that happened in a session. What it has nothing to say of is "" or 0."""

    session_id: str
    project: str
    at_us: int
    sequence: int  # within its session's process; tells events of one instant apart
    name: str  # api_request, tool_result, ...
    prompt_id: str = ""
    request_id: str = ""  # gw's call id, if the call went through gw
    model: str = ""
    tool: str = ""
    mcp_server: str = ""
    mcp_tool: str = ""
    skill: str = ""
    decision: str = ""  # accept, reject
    source: str = ""  # of the decision: config, user_permanent, ...
    success: int = -1  # 1, 0; -1: it is no matter of success
    duration_ms: int = 0
    estimated_pusd: int = 0
    more: str = ""  # JSON object of what else was said


class Told(Struct):
    """What one request of a client said."""

    counts: list[Count]
    events: list[Event]
    spans: int = 0  # seen, not kept
    ignored: int = 0  # points and events that gw has no place for
