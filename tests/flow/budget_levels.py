"""The table of budgets and limits begins: who they are about, and for how long. Modes and kinds of limits stand in
`budget_kinds`, calls that go wrong and streams in `budget_failures`, rules that change in `budget_changes`.

Read a case as: under these rules these calls are made, one after the other, and this is what comes of each.
"""

from dataclasses import replace
from typing import Any

from tests.flow.budget_steps import (
    OWN,
    Case,
    Standing,
    budget,
    case,
    limit,
    on_stream,
    paid,
    refused,
    spent,
    streamed,
)

SHARED = "anthropic-ratelimit-unified-overage-scope"
STATUS = "anthropic-ratelimit-unified-overage-status"
PASSED = "anthropic-ratelimit-unified-overage-surpassed-threshold"
RESET = "anthropic-ratelimit-unified-reset"
WARNING, LEFT = "x-gw-budget-warning", "x-gw-budget-remaining-usd"

# Level -> (what puts a call under it, what puts one beside it, its name in a message, whether others share it).
LEVELS: dict[str, tuple[dict[str, Any], dict[str, Any], str, bool]] = {
    "customer": ({}, {"who": "z"}, 'customer "@corp"', True),
    "team": ({}, {"who": "x"}, 'team "@core"', True),
    "key": ({}, {"who": "b"}, 'key "@a"', False),
    "upstream": ({"model": "@up"}, {}, 'upstream "@up"', True),
    "model": ({}, {"model": "other"}, 'model "gw-', True),
    "project": ({}, {"project": "blog"}, 'project "@web"', True),
    "session": ({}, {"session": "s2"}, 'session "@s1"', False),
}


def level(kind: str) -> Case:
    """Spent by one call too many, refused, and nobody beside it is."""
    under, beside, name, shared = LEVELS[kind]
    return case(
        f"{kind} alone",
        budget(kind, 5),
        paid(3, left=2, **under),
        paid(3, left=0, **under),
        spent(kind, name, "$6.00 of $5.00 (daily)", heads={SHARED: "group_pool" if shared else ""}, **under),
        on_stream(spent(kind, name, **under)),
        paid(1, **beside),
        spent={kind: 6},
    )


def level_of_streams(kind: str) -> Case:
    under, beside, name, _ = LEVELS[kind]
    return case(
        f"{kind} alone, streams",
        budget(kind, 5),
        streamed(3, heads={LEFT: "*", RESET: "*"}, **under),
        streamed(3, **under),
        on_stream(spent(kind, name, **under)),
        streamed(1, **beside),
        spent={kind: 6},
    )


def rate(kind: str) -> Case:
    under, beside, name, _ = LEVELS[kind]
    return case(
        f"requests of a {kind}",
        limit(kind, requests=2),
        paid(0.1, **under),
        streamed(0.1, **under),
        refused("rate_limited", "rate", name, "2 requests per hour", heads={"retry-after": "*"}, **under),
        paid(0.1, **beside),
    )


LEVELS_ALONE = [make(kind) for make in (level, level_of_streams, rate) for kind in LEVELS]

WINDOWS_AND_WORDS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("1m", {}, ("(every minute)",)),
    ("90m", {}, ("(every 90 minutes)",)),
    ("5h", {"anchor": "2026-01-01T03:30"}, ("(every 5 hours)",)),
    ("hour", {}, ("(hourly)", ":00 UTC")),
    ("hour", {"time_zone": "Asia/Kolkata"}, ("(hourly)", ":00 IST")),
    ("day", {"time_zone": "Europe/Berlin"}, ("(daily)", " 00:00 CE")),
    ("day", {"time_zone": "America/Los_Angeles"}, ("(daily)", " 00:00 P")),
    ("1d", {"anchor": "2026-01-01T06:00", "time_zone": "Europe/Berlin"}, ("(daily)",)),
    ("week", {}, ("(weekly)", " 00:00 UTC")),
    ("week", {"anchor": "7", "time_zone": "Pacific/Auckland"}, ("(weekly)", " 00:00 NZ")),
    ("2w", {}, ("(every 2 weeks)",)),
    ("month", {}, ("(monthly)", " 1 00:00 UTC")),
    ("month", {"anchor": "31"}, ("(monthly)", " 00:00 UTC")),
    ("3M", {}, ("(every 3 months)", " 1 00:00 UTC")),
    ("year", {"anchor": "04-01"}, ("(yearly)", "Apr 1 00:00 UTC")),
    ("1Y", {}, ("Jan 1 00:00 UTC",)),
]


def window(text: str, values: dict[str, Any], words: tuple[str, ...]) -> Case:
    name = " ".join((f"window {text}", *values.values()))
    return case(name, budget("key", 5, text, **values), paid(6), spent("key", "$6.00 of $5.00", *words), spent={"key": 6})


WINDOWS = [window(*one) for one in WINDOWS_AND_WORDS] + [
    case(
        "window lifetime",
        budget("key", 5, "lifetime"),
        paid(6, heads={LEFT: "*", "x-gw-budget-reset": ""}),
        spent("key", "(lifetime)", heads={RESET: "", "retry-after": ""}),
        spent={"key": 6},
    ),
    case(
        "a day and a month of one key: the month is spent first",
        (budget("key", 10, "day", name="day"), budget("key", 5, "month", name="month")),
        paid(6, left=0),
        spent("month", "(monthly)"),
        spent={"day": 6, "month": 6},
    ),
    case(
        "an hour and a lifetime of one key: the hour is spent first",
        (budget("key", 5, "hour", name="hour"), budget("key", 50, "lifetime", name="ever")),
        paid(6),
        spent("hour", "(hourly)"),
        spent={"hour": 6, "ever": 6},
    ),
    case(
        "the same window in two time zones is two sums",
        (budget("key", 50, time_zone="Asia/Tokyo", name="tokyo"), budget("key", 5, time_zone="America/New_York", name="york")),
        paid(6),
        spent("york", "$6.00 of $5.00 (daily)"),
        spent={"tokyo": 6, "york": 6},
    ),
]

ALL = tuple(budget(kind, 10, on="@up" if kind == "model" else "") for kind in LEVELS)
CROSSED = [
    case(
        "one call is charged on all seven levels, and the outermost names itself first",
        ALL,
        paid(3, model="@up", left=7),
        streamed(8, model="@up"),
        spent("customer", 'customer "@corp"', "$11.00 of $10.00", model="@up"),
        spent=dict.fromkeys(LEVELS, 11),
    ),
    *(
        case(
            f"of seven levels the {tight} is the tight one",
            tuple(replace(rule, values=(("limit_usd", "2"), *rule.values[1:])) if rule.kind == tight else rule for rule in ALL),
            paid(3, model="@up", left=0),
            spent(tight, "$3.00 of $2.00", model="@up"),
            Standing(spent=dict.fromkeys(LEVELS, 3), reserved=dict.fromkeys(LEVELS, 0)),
            spent=dict.fromkeys(LEVELS, 3),
        )
        for tight in ("team", "upstream", "session")
    ),
    case(
        "levels and windows: four levels by two windows",
        tuple(
            budget(kind, 4 if (kind, window) == ("team", "month") else 40, window, name=f"{kind}-{window}")
            for kind in ("customer", "team", "key", "session")
            for window in ("day", "month")
        ),
        streamed(5),
        spent("team-month", "(monthly)"),
        spent={f"{kind}-{window}": 5 for kind in ("customer", "team", "key", "session") for window in ("day", "month")},
    ),
    case(
        "keys of one team share its budget",
        budget("team", 5),
        paid(3, who="a"),
        paid(3, who="b"),
        spent("team", who="a"),
        spent("team", who="b"),
        spent={"team": 6},
    ),
    case(
        "teams of one customer share its budget",
        budget("customer", 5),
        paid(3, who="a"),
        streamed(3, who="x"),
        spent("customer", who="a"),
        paid(1, who="z"),
        spent={"customer": 6},
    ),
    case(
        "a pattern with each: every key has its own account",
        budget("key", 5, on="*", each=True),
        paid(6, who="a"),
        spent("key", 'key "@a"', who="a"),
        paid(1, who="b", left=4),
        spent={"key:a": 6, "key:b": 1},
    ),
    case(
        "a pattern without each: all keys share one account",
        budget("key", 5, on="*"),
        paid(3, who="a"),
        paid(3, who="b"),
        spent("key", who="b", heads={SHARED: "group_pool"}),
        spent={"key": 6},
    ),
    case(
        "each session by itself",
        budget("session", 2, "lifetime", on="*"),
        paid(3, session="s1"),
        spent("session", 'session "@s1"', "start a new session", session="s1"),
        streamed(1, session="s2"),
        paid(1, session=""),
        spent={"session:s1": 3, "session:s2": 1},
    ),
    case(
        "each project by itself",
        budget("project", 2, on="*", each=True),
        paid(3, project="web"),
        spent("project", 'project "@web"', project="web"),
        paid(1, project="blog"),
        paid(1, project=""),
        spent={"project:web": 3, "project:blog": 1},
    ),
    case(
        "models of one pattern share a budget",
        budget("model", 5, on="*"),
        paid(3, model="big"),
        paid(3, model="small"),
        spent("model", model="big"),
        paid(1),
        spent={"model": 6},
    ),
    case(
        "spelling makes no second account of a model",
        budget("model", 5, on="big"),
        paid(3, model="big[1m]"),
        paid(3, model="BIG"),
        spent("model", model="big"),
        spent={"model": 6},
    ),
    case(
        "the session limit of a key",
        (),
        paid(3, session="s1", left=0),
        spent("a#session", 'session "@s1"', "$3.00 of $2.00 (lifetime)", session="s1"),
        paid(1, session="s2", left=1),
        paid(3, session="s1", who="b"),
        keys={"a": 'session_limit_usd = "2"'},
        spent={"a#session:s1": 3, "a#session:s2": 1},
    ),
    case(
        "calls with a credential of their own fall under models and sessions, not under teams",
        (budget("model", 5), budget("team", 1)),
        paid(6, who=OWN, heads={LEFT: "*", STATUS: ""}),
        spent("model", who=OWN),
        spent("model", who="a"),
        spent={"model": 6, "team": 0},
    ),
]

CASES = [*LEVELS_ALONE, *WINDOWS, *CROSSED]
