"""The table goes on: upstreams that fail, clients that leave, and streams that outgrow what is left of a budget.

An event of a growing stream costs $1 and comes 5 ms after the one before, so a stream is never ended a whole dollar too late.
"""

from typing import Any

from gw.demo import answers
from gw.demo.exchange import Chunk, Hangup, Pause, Reply, Request, Reset
from tests.flow.budget_steps import (
    OWN,
    Call,
    Case,
    Leave,
    Play,
    Standing,
    Start,
    begun,
    budget,
    case,
    fails,
    grows,
    hangs,
    limit,
    never,
    paid,
    refused,
    spent,
    stopped,
    streamed,
    usage,
)

FREE = (0.0, 0.0)
STATUSES = [
    (429, "rate_limit_error", "upstream_rate_limit_error"),
    (500, "api_error", "upstream_api_error"),
    (529, "overloaded_error", "upstream_overloaded_error"),
    (400, "invalid_request_error", "upstream_invalid_request_error"),
]


def failing(error: str, play: Play, **more: Any) -> Call:
    return Call(**{"play": play, "outcome": "upstream_error", "error": error, "costs": FREE} | more)


def no_charge(status: int, kind: str, error: str) -> Case:
    """What the upstream refuses is not spent, whatever was set aside for it, and the next call finds all of it."""
    call = failing(error, fails(status, kind), status=status, asks=1.9)
    return case(
        f"the upstream says {status}",
        budget("key", 2),
        *(failing(error, fails(status, kind), status=status, asks=1.9, stream=stream) for stream in (False, True)),
        Standing(spent={"key": 0}, reserved={"key": 0}),
        call,
        paid(1, asks=1.9),
        spent={"key": 1},
    )


def closed(request: Request, tokens: int) -> Reply:
    return Reply(status=0, steps=(Hangup(),))


def breaks(*then: Any) -> Play:
    return lambda request, tokens: begun(request, tokens, Pause(0.05), *then)


def error_event(kind: str) -> Chunk:
    return Chunk(answers.event("error", {"type": "error", "error": {"type": kind, "message": "the model stumbled"}}))


def error_instead(request: Request, tokens: int) -> Reply:
    return Reply(headers=answers.SSE_HEADERS, framing="chunked", steps=(error_event("overloaded_error"),))


def declined(request: Request, tokens: int) -> Reply:
    """A refusal without content, which providers do not charge."""
    return answers.message(request, [], usage=usage(tokens), stop_reason="refusal")


def broken(error: str, play: Play) -> Call:
    """A stream that fails after it has cost $3."""
    return Call(3, stream=True, play=play, outcome="upstream_error", error=error)


FAILURES = [
    *(no_charge(*one) for one in STATUSES),
    case(
        "an upstream that hangs up before its answer",
        budget("team", 2),
        failing("upstream_reset", closed, status=502, slug="upstream_reset", asks=1.9),
        failing("upstream_reset", closed, status=502, slug="upstream_reset", asks=1.9, stream=True),
        paid(1, asks=1.9),
        spent={"team": 1},
    ),
    case(
        "an upstream that refuses the gateway's credential",
        budget("customer", 2),
        failing(
            "upstream_credential_refused",
            fails(401, "authentication_error"),
            status=502,
            slug="upstream_credential_refused",
            asks=1.9,
        ),
        paid(1, asks=1.9),
        spent={"customer": 1},
    ),
    *(
        case(
            f"a stream that ends in {name} has cost what was seen of it",
            (budget("key", 7.5), budget("customer", 50, "lifetime", reserve="worst")),
            broken(error, breaks(*then)),
            Standing(spent={"key": 3}, reserved={"key": 0}),
            broken(error, breaks(*then)),
            paid(2),
            spent("key", "$8.00 of $7.50"),
            spent={"key": 8, "customer": 8},
        )
        for name, error, then in (
            ("a reset", "upstream_reset", [Reset()]),
            ("a hang-up", "upstream_reset", [Hangup()]),
            ("an error event", "upstream_overloaded_error", [error_event("overloaded_error")]),
            ("nothing", "upstream_truncated", []),
        )
    ),
    case(
        "an error event in place of an answer costs nothing",
        budget("key", 2),
        failing("upstream_overloaded_error", error_instead, stream=True, asks=1.9),
        paid(1, asks=1.9),
        spent={"key": 1},
    ),
    case(
        "an answer that was declined is free",
        budget("key", 2),
        Call(3, play=declined, costs=FREE),
        Call(3, play=declined, costs=FREE, stream=True),
        paid(1),
        spent={"key": 1},
    ),
    case(
        "a failed call was a request all the same",
        limit("key", requests=1),
        failing("upstream_overloaded_error", fails(529, "overloaded_error"), status=529),
        refused("rate_limited", "rate"),
    ),
    case(
        "a failed call runs no more",
        limit("key", parallel=1, name="one"),
        failing("upstream_overloaded_error", fails(529, "overloaded_error"), status=529),
        Call(1, stream=True, play=breaks(Reset()), outcome="upstream_error", error="upstream_reset"),
        paid(1),
    ),
    case(
        "a client that leaves a stream pays what was seen of it",
        (budget("key", 7.5), budget("team", 50, reserve="worst")),
        Start("one", streamed(3, play=hangs, outcome="client_gone")),
        Leave("one"),
        Standing(spent={"key": 3, "team": 3}, reserved={"key": 0, "team": 0}),
        Start("two", streamed(3, play=hangs, outcome="client_gone")),
        Leave("two"),
        paid(2),
        spent("key", "$8.00 of $7.50"),
        spent={"key": 8, "team": 8},
    ),
    case(
        "a client that leaves before a whole answer pays an estimate of the prompt, and no more is set aside",
        (limit("key", parallel=1, name="one"), budget("key", 2, name="money")),
        Start("one", Call(play=never, asks=1.9, outcome="client_gone", costs=(0.00001, 0.01))),
        refused("too_many_parallel", "one"),
        Leave("one"),
        Standing(reserved={"money": 0}),
        paid(1, asks=1.5),
    ),
    case(
        "a model without a price is not called under a hard budget",
        budget("key", 5),
        refused("budget_unreadable", "key", "cannot be read", model="unpriced", heads={"x-should-retry": "false"}),
        refused("budget_unreadable", "key", model="unpriced", stream=True),
        paid(1),
        spent={"key": 1},
    ),
    case(
        "a model without a price passes soft and shadow budgets",
        (budget("key", 5, mode="soft"), budget("team", 5, mode="shadow")),
        Call(model="unpriced", costs=FREE),
        Call(model="unpriced", costs=FREE, stream=True),
        spent={"key": 0, "team": 0},
    ),
]

# --- streams ----------------------------------------------------------------------------------------------------------


def growing(*kinds: str, **more: Any) -> Play:
    return grows(*kinds, pace_s=0.005, chars=3000, **more)


def torn(request: Request, tokens: int) -> Reply:
    """In pieces of a thousand bytes or so, whatever is in them: none of them ends where an event does."""
    reply = grows("text", chars=3000)(request, tokens)
    data = b"".join(step.data for step in reply.steps if isinstance(step, Chunk))
    sizes = range(990, 1010)
    size = next(size for size in sizes if not any(data[:at].endswith(b"\n\n") for at in range(size, len(data), size)))
    pieces = [Chunk(data[at : at + size], at // 3) for at in range(0, len(data), size)]
    return answers.with_steps(reply, [step for piece in pieces for step in (piece, Pause(0.003))])


def slowly(request: Request, tokens: int) -> Reply:
    """What it has cost is told at once; the rest comes in pieces that arrive one by one."""
    first, *others = [step for step in begun(request, tokens).steps if isinstance(step, Chunk)]
    rest = [step for step in grows("text", chars=15)(request, 50).steps if isinstance(step, Chunk)][len(others) + 1 :]
    paced = [step for chunk in (first, *others, *rest) for step in (chunk, Pause(0.01))]
    return answers.with_steps(begun(request, tokens), paced)


STREAMS = [
    case(
        "a stream ends when its budget does",
        budget("key", 20),
        stopped("key", 18, 21, 'key "@a"', "of $20.00 (daily)", usd=40, asks=50, play=growing("text")),
        spent("key", asks=3),
        spent={},
    ),
    case(
        "a stream within its budget is not ended",
        budget("key", 20),
        streamed(18, asks=50, play=growing("text"), heads={"x-gw-budget-remaining-usd": "*"}),
        spent={"key": 18},
    ),
    case(
        "a stream whose most is held from the start is not ended",
        budget("key", 20, reserve="worst"),
        streamed(19, asks=19.9, play=growing("text", "tool")),
        spent("key", asks=2),
        spent={"key": 19},
    ),
    case(
        "a stream that cannot cost more than is held for it is not ended",
        budget("key", 5),
        paid(4.9),
        streamed(0.05, asks=0.05, play=grows("text", pace_s=0.01, chars=15)),
        spent={"key": 4.95},
    ),
    case(
        "a stream that reports too much at its start is ended behind its first block, not before",
        budget("key", 5),
        stopped("key", 6, 6.2, "Budget exceeded", "$6.00 of $5.00", usd=6, play=slowly),
        spent("key"),
        spent={"key": 6},
    ),
    case(
        "of two budgets the tighter ends the stream",
        (budget("team", 10), budget("key", 30)),
        stopped("team", 8, 11, 'team "@core"', usd=40, asks=50, play=growing("text")),
        spent={},
    ),
    case(
        "the budget of a session ends its stream, and another session goes on",
        budget("session", 10, "lifetime", on="*"),
        stopped("session", 8, 11, "start a new session", usd=40, asks=50, play=growing("text")),
        streamed(8, asks=50, play=growing("text"), session="s2"),
        spent={"session:s2": 8},
    ),
    case(
        "a block of thinking is not cut, but for a grace of some thousand tokens",
        budget("key", 10),
        stopped("key", 9, 17, usd=60, asks=80, play=growing("thinking", "text")),
        spent("key"),
    ),
    case(
        "a stream is ended behind a tool call, not within",
        budget("key", 10),
        stopped("key", 12, 13.5, "Budget exceeded", usd=24, asks=80, play=growing("tool", "text")),
        spent("key"),
    ),
    case(
        "a stream whose events come in pieces is ended between two of them",
        budget("key", 20),
        stopped("key", 18, 27, usd=60, asks=80, play=torn),
    ),
    case(
        "a compressed stream is ended after its grace, and says no word",
        budget("key", 10),
        stopped("key", 9, 18, usd=60, asks=80, play=growing("text", gzip=True)),
        spent("key"),
    ),
    case(
        "soft budgets end no stream",
        budget("key", 10, mode="soft"),
        streamed(20, asks=50, play=growing("text")),
        spent={"key": 20},
    ),
    case(
        "shadow budgets end no stream, and say that they would have",
        budget("key", 10, mode="shadow"),
        streamed(20, asks=50, play=growing("text"), shadowed=("key",)),
        spent={"key": 20},
    ),
    case(
        "a stream under a credential of its own is ended, too",
        budget("model", 10),
        stopped("model", 8, 11, usd=40, asks=50, play=growing("text"), who=OWN),
    ),
    case(
        "what was ended runs no more and owes its tokens",
        (budget("key", 10), limit("key", parallel=1, name="one"), limit("team", output_tokens=2_000)),
        stopped("key", 8, 11, usd=40, asks=50, play=growing("text")),
        refused("rate_limited", "rate"),
    ),
    case(
        "an answer nobody could foresee is charged whole, and the overrun refuses the next",
        (budget("key", 5), budget("team", 500, "month", reserve="worst")),
        paid(100),
        spent("key", "$100.00 of $5.00"),
        spent={"key": 100, "team": 100},
    ),
]

CASES: list[Case] = [*FAILURES, *STREAMS]
