"""The table goes on: rules that change while calls run or wait, keys that move, and gateways that end and begin again.

These cases have a gateway of their own that is edited by each of them, and whose calls wait long for a budget that is only
set aside.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.flow.budget_failures import growing
from tests.flow.budget_steps import (
    Call,
    Case,
    Ends,
    Leave,
    Reload,
    Rule,
    Standing,
    Start,
    Step,
    Tell,
    budget,
    case,
    hangs,
    limit,
    paid,
    refused,
    spent,
    stopped,
    streamed,
    told,
)

WAIT = "wait_s = 20"
HELD = Call(0.5, asks=1.9, play=told())
LONG = told(growing("text"), 33)  # a stream that falls silent when it has cost $30
GONE = streamed(0.1, asks=1.9, play=hangs, outcome="client_gone")


def to(*rules: Rule, **more: Any) -> Reload:
    return Reload(rules=rules, **more)


def moved(name: str, first: Rule | tuple[Rule, ...], *steps: Step, **more: Any) -> Case:
    return case(name, first, *steps, **more)


LIMITS_THAT_CHANGE = [
    *(
        moved(
            f"a {kind}'s limit is raised: it counts at once, and what was spent stays spent",
            budget(kind, 5),
            paid(6),
            spent(kind),
            to(budget(kind, 10)),
            paid(3, left=1),
            to(budget(kind, 9.5)),
            paid(1),
            spent(kind, "$10.00 of $9.50"),
            spent={kind: 10},
        )
        for kind in ("customer", "team", "key", "model", "project", "session")
    ),
    moved(
        "a limit is lowered below what is spent",
        budget("team", 10, "month"),
        paid(6),
        to(budget("team", 5, "month")),
        spent("team", "$6.00 of $5.00 (monthly)", who="a"),
        spent("team", who="b"),
        to(budget("team", 10, "month")),
        streamed(1, who="b"),
        spent={"team": 7},
    ),
    moved(
        "a limit is lowered to nothing",
        budget("key", 5),
        paid(1),
        to(budget("key", 0)),
        spent("key", "$1.00 of $0.00"),
        spent={"key": 1},
    ),
    moved(
        "a limit is lowered while a stream runs: it ends",
        budget("key", 100),
        Start("long", stopped("key", 29, 34, usd=90, asks=99, play=LONG)),
        to(budget("key", 10)),
        Ends("long"),
        spent("key"),
    ),
    moved(
        "a limit is raised while a stream runs: it goes on beyond the old one",
        budget("key", 60),
        Start("long", streamed(90, asks=95, play=LONG)),
        to(budget("key", 100)),
        Ends("long"),
        spent={"key": 90},
    ),
    moved(
        "a budget is taken away while a stream runs: nothing ends it",
        (budget("key", 60), budget("team", 1000)),
        Start("long", streamed(90, asks=95, play=LONG)),
        to(budget("team", 1000)),
        Ends("long"),
        paid(20),
        spent={"team": 110},
    ),
    moved(
        "a hard budget turns soft while a stream runs",
        budget("key", 60),
        Start("long", streamed(90, asks=95, play=LONG)),
        to(budget("key", 60, mode="soft")),
        Ends("long"),
        paid(1, heads={"x-gw-budget-warning": "*"}),
        spent={"key": 91},
    ),
    moved(
        "a budget is deleted and refuses nothing; it comes back and knows what was spent meanwhile",
        budget("key", 5),
        paid(6),
        spent("key"),
        to(),
        paid(2),
        streamed(2),
        to(budget("key", 12)),
        paid(0.5, left=1.5),
        paid(2),
        spent("key", "$12.50 of $12.00"),
        spent={"key": 12.5},
    ),
    moved(
        "a budget moves to another place in the file",
        (budget("key", 5), budget("team", 50), limit("key", requests=100)),
        paid(6),
        to(limit("key", requests=100), budget("team", 50), budget("key", 5)),
        spent("key", "$6.00 of $5.00"),
        spent={"key": 6, "team": 6},
    ),
    moved(
        "hard, soft, shadow, hard: one account all the time",
        budget("key", 5),
        paid(6),
        to(budget("key", 5, mode="soft")),
        paid(1, heads={"x-gw-budget-warning": "*"}),
        to(budget("key", 5, mode="shadow")),
        paid(1, shadowed=("key",), heads={"x-gw-budget-remaining-usd": ""}),
        to(budget("key", 5)),
        spent("key", "$8.00 of $5.00"),
        spent={"key": 8},
    ),
    moved(
        "typical turns worst",
        budget("key", 5),
        paid(3, asks=20),
        to(budget("key", 5, reserve="worst")),
        spent("key", "may cost up to", asks=20),
        paid(1, asks=1.9),
        spent={"key": 4},
    ),
    moved(
        "a budget of a team becomes one of its customer: another account, with all that was spent there",
        budget("team", 5, name="one"),
        paid(6),
        paid(1, who="x"),
        to(budget("customer", 10, name="one")),
        paid(1, left=2),
        spent={"one": 8},
    ),
    moved(
        "a day becomes a month: what the month has seen counts",
        budget("key", 50, "day"),
        paid(6),
        to(budget("key", 5, "month")),
        spent("key", "$6.00 of $5.00 (monthly)"),
        spent={"key": 6},
    ),
    moved(
        "a second budget joins: what its window has seen counts",
        budget("key", 50),
        paid(6),
        to(budget("key", 50), budget("team", 8)),
        paid(1, left=1),
        paid(4),
        spent("team", "$11.00 of $8.00"),
        spent={"key": 11, "team": 11},
    ),
    moved(
        "a budget joins while a call runs: its cost counts there, too",
        budget("key", 50),
        Start("long", replace(HELD, usd=6)),
        to(budget("key", 50), budget("team", 5)),
        Ends("long"),
        Standing(spent={"key": 6, "team": 6}),
        spent("team", "$6.00 of $5.00"),
        spent={"key": 6, "team": 6},
    ),
    moved(
        "whom to ask changes",
        budget("key", 1, contact="the platform team"),
        paid(2),
        spent("key", "ask the platform team for more"),
        to(budget("key", 1, contact="Ada, room 7")),
        spent("key", "ask Ada, room 7 for more"),
        spent={"key": 2},
    ),
    moved(
        "unpriced models are allowed, and refused again",
        budget("key", 5),
        refused("budget_unreadable", "key", model="unpriced"),
        Reload(budgets=f'{WAIT}\nunreadable = "allow"'),
        Call(model="unpriced"),
        Reload(budgets=WAIT),
        refused("budget_unreadable", "key", model="unpriced"),
        spent={"key": 0},
    ),
]

RATES_THAT_CHANGE = [
    moved(
        "a rate is raised, and lowered: what was taken stays taken",
        limit("key", requests=1),
        paid(0.1),
        refused("rate_limited", "rate"),
        to(limit("key", requests=1, burst="3")),
        paid(0.1),
        paid(0.1),
        refused("rate_limited", "rate"),
        to(limit("key", requests=1)),
        refused("rate_limited", "rate"),
        to(),
        paid(0.1),
    ),
    moved(
        "the limit of parallel calls is lowered below those that run",
        (limit("key", parallel=3, name="many"), budget("key", 50, name="money")),
        Start("one", GONE),
        Start("two", GONE),
        to(limit("key", parallel=1, name="many"), budget("key", 50, name="money")),
        refused("too_many_parallel", "many"),
        Leave("one"),
        refused("too_many_parallel", "many"),
        Leave("two"),
        paid(1),
        spent={"money": 1.2},
    ),
    moved(
        "a key may cost less per request",
        budget("key", 50),
        paid(1, asks=1.5),
        Reload(keys={"a": 'max_cost_usd = "1"\nmax_tokens = 1200'}, budgets=f'{WAIT}\ncontact = "the guild"'),
        refused("max_tokens_exceeded", "", "ask the guild for more", status=400, asks=1.5),
        refused("request_too_costly", "", "ask the guild for more", status=400, asks=1.1),
        Reload(budgets=WAIT),
        paid(0.5, asks=0.9),
        spent={"key": 1.5},
    ),
]

WAITING = [
    moved(
        "a call waits for what another has set aside, and gets it",
        budget("key", 2),
        Start("long", HELD),
        Start("waits", paid(1, asks=1), held_up=True),
        Ends("long"),
        Ends("waits"),
        spent={"key": 1.5},
    ),
    moved(
        "a stream waits, too, and in a worst budget",
        budget("key", 2, reserve="worst"),
        Start("long", HELD),
        Start("waits", streamed(1, asks=1.2), held_up=True),
        Ends("long"),
        Ends("waits"),
        spent={"key": 1.5},
    ),
    moved(
        "a call that waits is refused once the budget is spent",
        budget("key", 2),
        Start("long", replace(HELD, usd=5)),
        Start("waits", spent("key", "$5.00 of $2.00", asks=1), held_up=True),
        Ends("long"),
        Ends("waits"),
        spent={"key": 5},
    ),
    moved(
        "a client that leaves while its call waits has cost nothing",
        (budget("key", 2), limit("key", parallel=5, name="few")),
        Start("long", GONE),
        Start("waits", Call(1, asks=1, outcome="client_gone", costs=(0, 0)), held_up=True),
        Leave("waits"),
        Leave("long"),
        paid(1, asks=1.9),
        spent={"key": 1.1},
    ),
    moved(
        "a stream that needs more waits for what another gives back",
        budget("key", 20),
        Start("other", replace(HELD, usd=0.1)),
        Start("long", streamed(18.5, asks=50, play=told(growing("text"), 18))),
        Tell("long"),
        Ends("other"),
        Ends("long"),
        spent={"key": 18.6},
    ),
    moved(
        "a stream that was estimated too low goes on as far as there is room, though that is less than a slice",
        budget("key", 4),
        paid(3.2),
        Start("long", streamed(0.6, asks=0.01, play=told(growing("text"), 3))),
        Ends("long"),
        spent={"key": 3.8},
    ),
    moved(
        "a limit is raised while a call waits: it waits no more",
        budget("key", 2),
        Start("long", GONE),
        Start("waits", paid(1, asks=1.5), held_up=True),
        to(budget("key", 10)),
        Ends("waits"),
        Leave("long"),
        spent={"key": 1.1},
    ),
    moved(
        "a limit is lowered while a call waits: it is held to the new one",
        budget("key", 2),
        Start("long", GONE),
        Start("waits", spent("key", "of $1.00", asks=1.5), held_up=True),
        to(budget("key", 1)),
        Leave("long"),
        Ends("waits"),
        spent={"key": 0.1},
    ),
]


def increase(usd: float, until: datetime) -> str:
    return f'[[budget.increase]]\nlimit_usd = "{usd}"\nuntil = {until.isoformat()}\nreason = "release week"'


FAR = datetime(2099, 1, 1, tzinfo=UTC)
INCREASES = [
    moved(
        "an increase counts at once, and goes with its line",
        budget("team", 5),
        paid(6),
        spent("team"),
        to(budget("team", 5, more=increase(10, FAR))),
        paid(3, left=6),
        to(budget("team", 5)),
        spent("team", "$9.00 of $5.00"),
        spent={"team": 9},
    ),
    moved(
        "an increase that is over does not count",
        budget("team", 5, more=increase(10, datetime.now(UTC) - timedelta(days=1))),
        paid(6),
        spent("team", "$6.00 of $5.00"),
        spent={"team": 6},
    ),
]

CASES: list[Case] = [*LIMITS_THAT_CHANGE, *RATES_THAT_CHANGE, *WAITING, *INCREASES]
