"""The table goes on: modes, what is set aside for calls that run, rates, and the bounds of keys."""

from dataclasses import replace

from gw.demo import answers
from gw.demo.exchange import Reply, Request
from tests.flow.budget_levels import LEFT, LEVELS, PASSED, STATUS, WARNING
from tests.flow.budget_steps import (
    Call,
    Case,
    Ends,
    Leave,
    Rule,
    Standing,
    Start,
    budget,
    case,
    hangs,
    limit,
    on_stream,
    paid,
    refused,
    spent,
    streamed,
    told,
    usage,
)

MODES = [
    case(
        "soft warns and refuses nothing",
        budget("team", 5, mode="soft"),
        paid(3, heads={WARNING: ""}),
        paid(3, heads={WARNING: "*", LEFT: "0"}),
        streamed(1, heads={WARNING: "*", STATUS: "allowed_warning"}),
        spent={"team": 7},
    ),
    case(
        "shadow records what it would have refused, and says nothing",
        budget("team", 5, mode="shadow"),
        paid(6, heads={LEFT: "", STATUS: ""}),
        paid(1, shadowed=("team",), heads={LEFT: "", STATUS: ""}),
        streamed(1, shadowed=("team",)),
        spent={"team": 8},
    ),
    case(
        "two shadows",
        (budget("team", 5, mode="shadow"), budget("key", 6, mode="shadow")),
        paid(5.5),
        paid(1, shadowed=("team",)),
        paid(1, shadowed=("team", "key")),
        spent={"team": 7.5, "key": 7.5},
    ),
    case(
        "shadow over hard: the hard one refuses, and only it is spoken of",
        (budget("team", 2, mode="shadow"), budget("key", 5)),
        paid(3, left=2),
        paid(3, shadowed=("team",), left=0),
        spent("key"),
        spent={"team": 6, "key": 6},
    ),
    case(
        "soft over hard: spent both, the hard one refuses",
        (budget("customer", 2, mode="soft"), budget("session", 5)),
        paid(3, heads={WARNING: "*"}),
        paid(3),
        spent("session"),
        spent={"customer": 6, "session": 6},
    ),
    case(
        "warnings rise with what is spent",
        budget("key", 10),
        paid(4, heads={STATUS: "allowed", PASSED: ""}),
        paid(2, heads={STATUS: "allowed_warning", PASSED: "0.5"}),
        paid(2.5, heads={STATUS: "allowed_warning", PASSED: "0.8"}),
        paid(1.2, heads={STATUS: "allowed_warning", PASSED: "0.95"}),
        paid(1, heads={STATUS: "allowed_warning", PASSED: "1"}),
        spent("key"),
        spent={"key": 10.7},
    ),
    case(
        "worst in soft mode refuses nothing",
        budget("key", 5, mode="soft", reserve="worst"),
        paid(3, asks=20),
        spent={"key": 3},
    ),
    case(
        "nothing to spend is spent", budget("key", 0), spent("key", "$0.00 of $0.00"), on_stream(spent("key")), spent={"key": 0}
    ),
]

HELD = Call(0.1, asks=1.9, play=told())  # goes on until the case says that it ends
GONE = streamed(0.1, asks=1.9, play=hangs, outcome="client_gone")
RESERVES = [
    case(
        "typical: a call that the whole limit could not hold is refused at once",
        budget("key", 0.5),
        spent("key", "Budget too small", "will probably cost", asks=1),
        paid(0.2, asks=0.2),
        spent={"key": 0.2},
    ),
    case(
        "typical: up to nine tenths a call is let in for what is left",
        budget("key", 5),
        paid(4),
        paid(2, asks=1.5),
        spent("key", "$6.00 of $5.00"),
        spent={"key": 6},
    ),
    case(
        "typical: of the last tenth only what fits",
        budget("key", 5),
        paid(4.6),
        spent("key", "Budget too small", "$0.40 of $5.00 left", asks=1),
        paid(0.2, asks=0.3),
        spent={"key": 4.8},
    ),
    *(
        case(
            f"{reserve}: what is only set aside is not spent",
            budget("key", 2, reserve=reserve),
            Start("long", HELD),
            refused("budget_reserved", "key", "is set aside", asks=1, heads={"retry-after": "2", "x-should-retry": ""}),
            on_stream(refused("budget_reserved", "key", asks=1)),
            Ends("long"),
            Standing(spent={"key": 0.1}, reserved={"key": 0}),
            paid(1, asks=1),
            spent={"key": 1.1},
        )
        for reserve in ("typical", "worst")
    ),
    case(
        "worst: what a call could cost must fit",
        budget("key", 5, reserve="worst"),
        spent("key", "may cost up to", asks=6),
        paid(3, asks=4.5),
        spent("key", "Budget too small", asks=2.5),
        streamed(1.9, asks=1.9),
        spent("key", asks=0.2),
        spent={"key": 4.9},
    ),
    case(
        "typical and worst on one path: both hold, both settle",
        (budget("key", 10), budget("team", 5, reserve="worst")),
        Start("long", replace(HELD, asks=4)),
        refused("budget_reserved", "team", 'team "@core"', asks=2),
        Ends("long"),
        Standing(spent={"key": 0.1, "team": 0.1}, reserved={"key": 0, "team": 0}),
        streamed(2, asks=2),
        spent={"key": 2.1, "team": 2.1},
    ),
    case(
        "worst: a call that was cut counts all that it could have cost, in typical what was seen of it",
        (budget("key", 10, reserve="worst"), budget("team", 10)),
        Start("long", replace(GONE, asks=4)),
        Leave("long"),
        Standing(spent={"team": 0.1}, reserved={"key": 0, "team": 0}),
        spent("key", "Budget too small", asks=6.5),
        paid(5, asks=5),
        spent={"team": 5.1},
    ),
    case(
        "worst refuses and typical beside it gets back what it had set aside",
        (budget("key", 10), budget("team", 1, reserve="worst")),
        spent("team", asks=3),
        Standing(spent={"key": 0}, reserved={"key": 0}),
        paid(0.5, asks=0.5),
        spent={"key": 0.5, "team": 0.5},
    ),
]


def fed(request: Request, tokens: int) -> Reply:
    """Costs nothing but input."""
    return answers.message(
        request, [answers.text("ok")], usage={**usage(0), "input_tokens": 1_500, "cache_read_input_tokens": 500}
    )


FED = Call(0.006, play=fed)
LIMITS = [
    case(
        "a burst of requests",
        limit("key", requests=1, burst="3"),
        *(paid(0.1) for _ in range(3)),
        refused("rate_limited", "rate", "at most 3 at once"),
    ),
    case("output tokens per time", limit("key", output_tokens=1_000), paid(0.5), streamed(1), refused("rate_limited", "rate")),
    case("tokens per time", limit("team", tokens=3_000), FED, paid(0.5), on_stream(paid(2)), refused("rate_limited", "rate")),
    case("input tokens per time, cached ones too", limit("key", input_tokens=1_600), FED, refused("rate_limited", "rate")),
    case("USD per time", limit("customer", usd="2"), paid(1.5), paid(1.5), refused("rate_limited", "rate", "$2.00 per hour")),
    case(
        "two rates: the one that clears last is named",
        (limit("key", requests=1, per="1m", name="minute"), limit("team", requests=1, per="1d", name="day")),
        paid(0.1),
        refused("rate_limited", "day", "per day"),
    ),
    case(
        "rates come before budgets",
        (limit("key", requests=1), budget("key", 0.5)),
        paid(1),
        refused("rate_limited", "rate"),
        spent={"key": 1},
    ),
    case(
        "what a budget refuses takes no request from a rate",
        (limit("team", requests=3), budget("key", 0.5)),
        paid(1, who="a"),
        *(spent("key", who="a") for _ in range(4)),
        paid(0.1, who="b"),
        paid(0.1, who="b"),
        refused("rate_limited", "rate", who="b"),
        spent={"key": 1},
    ),
    *(
        case(
            f"parallel calls of a {kind}",
            (limit(kind, parallel=1, name="one"), budget("customer", 100)),
            Start("long", replace(GONE, **LEVELS[kind][0])),
            refused("too_many_parallel", "one", "1 call runs already", heads={"retry-after": "1"}, **LEVELS[kind][0]),
            paid(0.1, **LEVELS[kind][1]),
            Leave("long"),
            streamed(0.1, **LEVELS[kind][0]),
            paid(0.1, **LEVELS[kind][0]),
        )
        for kind in ("team", "key", "model", "session")
    ),
    case(
        "refused calls do not run",
        (limit("team", parallel=1, name="one"), budget("key", 0.5)),
        paid(1, who="a"),
        spent("key", who="a"),
        spent("key", who="a"),
        paid(0.1, who="b"),
        spent={"key": 1},
    ),
    case(
        "a call over the parallel limit takes nothing from a budget",
        (limit("key", parallel=1, name="one"), budget("team", 5)),
        Start("long", GONE),
        refused("too_many_parallel", "one"),
        Leave("long"),
        spent={"team": 0.1},
    ),
]

KEYS = [
    case(
        "the most output tokens of a key",
        (),
        refused("max_tokens_exceeded", "", "CLAUDE_CODE_MAX_OUTPUT_TOKENS=100", status=400, asks=0.101),
        paid(0.05, asks=0.1),
        keys={"a": "max_tokens = 100"},
    ),
    case(
        "the most a request of a key may cost",
        budget("key", 50),
        refused("request_too_costly", "", 'the virtual key "@a"', "$1.00", status=400, asks=1),
        on_stream(refused("request_too_costly", "", status=400, asks=2)),
        paid(0.5, asks=0.9),
        keys={"a": 'max_cost_usd = "1"'},
        spent={"key": 0.5},
    ),
]


def free(path: str) -> Call:
    return Call(path=path)


def beside_spent(name: str, *rules: Rule) -> Case:
    return case(name, rules, paid(2), free("/v1/messages/count_tokens"), free("/v1/models"), free("/v1/messages/count_tokens"))


FREE = [
    beside_spent("a spent budget refuses neither counting nor the list of models", budget("key", 1)),
    beside_spent("nor does a spent rate", limit("key", requests=1)),
]

CASES = [*MODES, *RESERVES, *LIMITS, *KEYS, *FREE]
