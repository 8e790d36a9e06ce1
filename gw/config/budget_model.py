"""The tables of config.toml about spending: budgets, their increases, and limits. Part of `model.py`, and read like it."""

from datetime import datetime
from typing import Annotated, Literal

from gw.config.schema import Table, about

AMOUNT_MAX = 10**11
PARALLEL_MAX = 1_000_000


class Budgets(Table, frozen=True):
    """What holds for all budgets."""

    unreadable: Annotated[
        Literal["refuse", "allow"],
        about(
            "A call under a hard budget whose spending cannot be read, or whose cost cannot be known: refuse it, or allow it and "
            "let the budget be overspent."
        ),
    ] = "refuse"
    contact: Annotated[str, about("Whom a refusal tells to ask for more. Empty: the contact of [server].")] = ""
    wait_s: Annotated[
        float,
        about(
            "A budget that is not spent may be set aside whole for calls that run: how long a further call waits for what they "
            "give back before it is refused.",
            unit="s",
            low=0,
            high=300,
        ),
    ] = 5


class Increase(Table, frozen=True):
    """More to spend for a while, in the [[budget]] above it."""

    limit_usd: Annotated[str, about("Added to the limit.", kind="usd", unit="USD", example="500")]
    until: Annotated[
        datetime,
        about("First instant at which it holds no more; a date means 00:00 UTC.", kind="moment", example="2027-01-31"),
    ]
    reason: Annotated[str, about("Why, for those who look later.", example="release week")]


class Scoped(Table, frozen=True):
    """The keys that say which calls a budget or a limit is about."""

    name: Annotated[str, about("Named in refusals; what is counted is kept under it.", kind="name", example="platform")]
    customer: Annotated[str, about("All calls of this customer.", kind="scope")] = ""
    team: Annotated[str, about("All calls of this team.", kind="scope", example="platform")] = ""
    key: Annotated[str, about("All calls of this virtual key. A pattern finds those of the database, too.", kind="scope")] = ""
    upstream: Annotated[str, about("All calls to this upstream.", kind="scope")] = ""
    model: Annotated[str, about("All calls that ask for this model, in any case and with or without [1m].", kind="scope")] = ""
    project: Annotated[str, about("All calls of this project, as clients name it.", kind="scope")] = ""
    session: Annotated[str, about('Calls of one session; "*" is each session by itself.', kind="scope")] = ""
    each: Annotated[
        bool, about("With a pattern: true is an account for each that matches, false one for all of them together.")
    ] = False


class Budget(Scoped, frozen=True, kw_only=True):
    """How much may be spent in each window, and by whom: give exactly one of customer, team, key, upstream, model, project and
    session. A call is charged to every budget that it falls under."""

    limit_usd: Annotated[str, about("What may be spent in one window.", kind="usd", unit="USD", example="2500")]
    window: Annotated[
        str,
        about(
            "When spending starts anew. hour, day, week, month and year follow the calendar of time_zone; 90m, 5h, 1d, 2w are "
            "lengths of time that no clock change moves; 3M, 1Y are months and years from the anchor; lifetime is for good.",
            kind="window",
        ),
    ] = "month"
    time_zone: Annotated[str, about("Whose midnight it is.", kind="zone")] = "UTC"
    anchor: Annotated[
        str,
        about(
            "Where windows begin: a week on day 1 (Monday) to 7, a month on day 1 to 31 or its last, a year on MM-DD, a number "
            "with a unit at a date and time on the clock of time_zone. Empty: Monday, the 1st, 01-01, 2001-01-01.",
            kind="anchor",
        ),
    ] = ""
    mode: Annotated[
        Literal["hard", "soft", "shadow"],
        about("At the limit: hard refuses, soft warns, shadow only records what hard would have refused."),
    ] = "hard"
    on_exceed_model: Annotated[
        str,
        about(
            "Soft: at the limit its calls go there instead, as if this model had been asked for: a cheaper one, upstream/model, "
            "or the name of a route. Empty: they go on as before."
        ),
    ] = ""
    on_exceed_wait_s: Annotated[
        float, about("Soft: at the limit each of its calls is sent after this wait. 0: none.", unit="s", low=0, high=60)
    ] = 0
    on_exceed_elsewhere: Annotated[
        bool,
        about("Hard, of an upstream: at the limit calls go to the next candidate of their route; without one they are refused."),
    ] = False
    reserve: Annotated[
        Literal["typical", "worst"],
        about(
            "What is set aside for a call while it runs. typical: what such a call usually costs, and more as it grows; worst: "
            "the most that it can cost, which never overshoots and refuses far earlier."
        ),
    ] = "typical"
    warn_at: Annotated[tuple[float, ...], about("Parts of the limit at which to warn, rising.", kind="fractions")] = (
        0.5,
        0.8,
        0.95,
    )
    contact: Annotated[str, about("Whom a refusal tells to ask for more. Empty: the contact of [budgets].")] = ""
    increase: tuple[Increase, ...] = ()

    @property
    def reroutes(self) -> bool:
        """At its limit something is done with calls, by a rule (gw.routes)."""
        return self.mode == "soft" and bool(self.on_exceed_model or self.on_exceed_wait_s)


class Limit(Scoped, frozen=True, kw_only=True):
    """How fast calls may go, or how many at once, and whose: give exactly one of customer, team, key, upstream, model, project
    and session, and exactly one of requests, input_tokens, output_tokens, tokens, usd and parallel."""

    requests: Annotated[int, about("Calls.", low=0, high=AMOUNT_MAX, example=600)] = 0
    input_tokens: Annotated[int, about("Input tokens, cached ones too.", unit="tokens", low=0, high=AMOUNT_MAX)] = 0
    output_tokens: Annotated[int, about("Output tokens.", unit="tokens", low=0, high=AMOUNT_MAX)] = 0
    tokens: Annotated[int, about("Input and output tokens.", unit="tokens", low=0, high=AMOUNT_MAX)] = 0
    usd: Annotated[str, about("Cost.", kind="usd", unit="USD")] = ""
    parallel: Annotated[
        int, about("Calls that run at the same time; per and burst have no meaning.", low=0, high=PARALLEL_MAX)
    ] = 0
    per: Annotated[str, about("The time in which so much flows back, evenly.", kind="per")] = "1m"
    burst: Annotated[
        str,
        about(
            "How much may be taken at once after a pause, in the same unit. Empty: as much as flows back in that time.",
            kind="burst",
        ),
    ] = ""
