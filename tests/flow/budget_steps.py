"""The words in which cases about budgets and limits are written: rules, the calls that meet them, and what must come of each.

Each case has names of its own, so that one gateway serves them all: the key "a" of the case with the tag "n7" is "n7-a", its
model "gw-n7". One output token of these models costs $0.001, and a call asks for no more output than `asks` pays for; so what
a call costs is `usd`, what it could cost is `asks`, and what it will probably cost is `asks`, too, up to $2.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from gw.demo import answers
from gw.demo.exchange import Chunk, Pause, Reply, Request

TOKENS_PER_USD = 1_000
HELD_S, HELD_COUNT = 0.02, 1_500  # half a minute in all
TOLD: set[str] = set()  # names of the calls that may go on
BYTES_PER_TOKEN = 3  # of text in an answer, as gw counts while it runs
PRICES = """
[pricing]
unknown_model = "allow_unpriced"
[[pricing.override]]
name = "test"
model = "gw-*"
input = "3"
output = "1000"
cache_read = "3"
cache_write_5m = "3"
[[pricing.override]]
name = "test-up"
model = "up-*"
input = "3"
output = "1000"
cache_read = "3"
cache_write_5m = "3"
"""
# Whose calls these are unless a case says otherwise. "core" and "tools" belong to "corp", "far" to "away".
TEAM_OF = {"a": "core", "b": "core", "x": "tools", "z": "far"}
CUSTOMER_OF = {"core": "corp", "tools": "corp", "far": "away"}
OWN = "own"  # no virtual key: the client's own credential
ON = {"customer": "corp", "team": "core", "key": "a", "upstream": "up", "model": "", "project": "web", "session": "s1"}

Play = Callable[[Request, int], Reply]
"""What the upstream answers: the request, and the output tokens that pay for the call's `usd`."""


@dataclass(frozen=True)
class Rule:
    """A [[budget]] or a [[limit]]; `name` is its id within the case, `on` the name that its scope gives."""

    table: str
    name: str
    kind: str
    on: str
    values: tuple[tuple[str, Any], ...]
    tail: str = ""

    def toml(self, tag: str) -> str:
        scope = json.dumps(named(tag, self.kind, self.on))
        lines = [f"[[{self.table}]]", f'name = "{tag}-{self.name}"', f"{self.kind} = {scope}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.values]
        return "\n".join([*lines, self.tail, ""])


def budget(kind: str, usd: float, window: str = "day", *, name: str = "", on: str = "", more: str = "", **values: Any) -> Rule:
    """`more`: TOML at the end, such as an increase."""
    those = {"limit_usd": money(usd), "window": window, **values}
    return Rule("budget", name or kind, kind, on or ON[kind], tuple(those.items()), more)


def limit(kind: str, *, name: str = "rate", on: str = "", per: str = "1h", **values: Any) -> Rule:
    those = values if "parallel" in values else {"per": per, **values}
    return Rule("limit", name, kind, on or ON[kind], tuple(those.items()))


def named(tag: str, kind: str, on: str) -> str:
    """The name in the configuration, or on the wire, of what a case calls `on`. Models named "@up" are the upstream "up"'s."""
    if kind == "model":
        if on.startswith("@"):
            return f"{on[1:]}-{tag}"
        return f"gw-{tag}-{on}" if on else f"gw-{tag}"
    return f"{tag}-{on}" if on else ""


def money(usd: float) -> str:
    return str(Decimal(str(usd)))


@dataclass(frozen=True)
class Call:
    """One request and what must come of it. `usd`: what the upstream reports it has cost, or, of a call that is broken off,
    had cost until then."""

    usd: float = 0
    who: str = "a"
    asks: float = 0.01
    stream: bool = False
    model: str = ""
    project: str = "web"
    session: str = "s1"
    path: str = "/v1/messages"
    text: str = "hi"
    play: Play | None = None
    # what must come of it
    status: int = 200
    slug: str = ""  # of gw's refusal
    by: str = ""  # name of the rule that refuses or ends it
    says: tuple[str, ...] = ()  # what the message must contain
    heads: Mapping[str, str] = field(default_factory=dict)  # "*": any value, "": none
    left: float | None = None  # of the tightest budget, as the answer's header says
    outcome: str = "completed"
    error: str = ""
    costs: tuple[float, float] | None = None  # least and most, USD; None: exactly `usd`
    shadowed: tuple[str, ...] = ()


def paid(usd: float, **more: Any) -> Call:
    """Answered in full."""
    return Call(usd, **more)


def streamed(usd: float, **more: Any) -> Call:
    return Call(usd, stream=True, **more)


def refused(slug: str, by: str = "", *says: str, status: int = 429, **more: Any) -> Call:
    """By gw, before anything went upstream."""
    return Call(status=status, slug=slug, by=by, says=says, outcome="refused", error=slug, **more)


def spent(by: str, *says: str, **more: Any) -> Call:
    """Refused by a budget that is spent, or too small for it."""
    heads = {"x-should-retry": "false", "anthropic-ratelimit-unified-overage-disabled-reason": "org_spend_cap_reached"}
    return refused("budget_exceeded", by, *says, heads=heads | more.pop("heads", {}), **more)


def stopped(by: str, least: float, most: float, *says: str, **more: Any) -> Call:
    """A stream that its budget ended after it had cost so much."""
    return Call(by=by, says=says, stream=True, outcome="stopped", error="budget_exceeded", costs=(least, most), **more)


# --- steps ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Start:
    """Begins a call that goes on until `Leave` or `Ends`. When this is over its answer is under way, or, `held_up`, gw lets it
    wait, or, `half_sent`, gw waits for the rest of its body."""

    name: str
    call: Call
    held_up: bool = False
    half_sent: bool = False


@dataclass(frozen=True)
class Leave:
    """The client of a started call goes away."""

    name: str


@dataclass(frozen=True)
class Tell:
    """The upstream of a started call goes on where it fell silent."""

    name: str


@dataclass(frozen=True)
class Ends:
    """A started call may come to its end, and does: an upstream that is `told` goes on."""

    name: str


@dataclass(frozen=True)
class Standing:
    """What is spent now, and set aside for calls that run, by rule, or "rule:account" where it has several."""

    spent: Mapping[str, float] = field(default_factory=dict)
    reserved: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reload:
    """An edit of the file, in force when this is over. None: as before."""

    rules: tuple[Rule, ...] | None = None
    team_of: Mapping[str, str] | None = None
    customer_of: Mapping[str, str] | None = None
    keys: Mapping[str, str] | None = None
    budgets: str | None = None  # of the table [budgets]


@dataclass(frozen=True)
class Restart:
    """The gateway is stopped and started. `hard`: all its processes are killed in the same instant."""

    hard: bool = False


@dataclass(frozen=True)
class Kill:
    """All workers are killed in the same instant; this is over when others serve and what they held is settled."""


Step = Call | Start | Leave | Tell | Ends | Standing | Reload | Restart | Kill


@dataclass(frozen=True)
class Case:
    """`spent`: what each budget has settled when all is over, USD. `keys`: TOML in the tables of its keys."""

    name: str
    rules: tuple[Rule, ...]
    steps: tuple[Step, ...]
    spent: Mapping[str, float] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def callers(self) -> list[str]:
        calls = [step.call if isinstance(step, Start) else step for step in self.steps]
        return sorted({call.who for call in calls if isinstance(call, Call)} - {OWN})


def case(name: str, rules: Rule | tuple[Rule, ...], *steps: Step, spent: Mapping[str, float] | None = None, **more: Any) -> Case:
    return Case(name, (rules,) if isinstance(rules, Rule) else rules, steps, spent or {}, **more)


def on_stream(call: Call) -> Call:
    return replace(call, stream=True)


# --- what the upstream plays ------------------------------------------------------------------------------------------
def usage(tokens: int) -> dict[str, Any]:
    return {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": tokens}


def whole(request: Request, tokens: int) -> Reply:
    """The answer that costs what is asked, streamed if that was asked for."""
    return answers.message(request, [answers.text("word " * 12)], usage=usage(tokens))


def at_once(request: Request, tokens: int) -> Reply:
    """The same in one write: what was used is known as soon as anything is, however busy the machine."""
    reply = whole(request, tokens)
    return answers.with_steps(reply, [Chunk(b"".join(step.data for step in reply.steps if isinstance(step, Chunk)), tokens)])


def begun(request: Request, tokens: int, *then: Any) -> Reply:
    """A stream whose start already reports what it costs, and then what is given."""
    reply = whole(request, tokens)
    start = reply.steps[0]
    assert isinstance(start, Chunk)
    told = start.data.replace(b'"output_tokens":1,', b'"output_tokens":%d,' % tokens).replace(
        b'"output_tokens":1}', b'"output_tokens":%d}' % tokens
    )
    return answers.with_steps(reply, [Chunk(told, tokens), *reply.steps[1:4], *then])


class Held(Pause, frozen=True):
    """A moment of silence; none once the call of this name has been told to go on."""

    name: str = ""

    @property
    def seconds(self) -> float:  # asked when the step is played
        return 0.0 if self.name in TOLD else HELD_S


def told(play: Play = whole, chunks: int = 0) -> Play:
    """Falls silent after so many chunks, until the case says that the call `Ends`."""

    def held(request: Request, tokens: int) -> Reply:
        steps = list(play(request, tokens).steps)
        at = [index for index, step in enumerate(steps) if isinstance(step, Chunk)][chunks]
        silence = [Held(0, request.header("x-test-id"))] * HELD_COUNT
        return answers.with_steps(play(request, tokens), [*steps[:at], *silence, *steps[at:]])

    return held


def hangs(request: Request, tokens: int) -> Reply:
    """A stream that reports its cost at once and then falls silent."""
    return begun(request, tokens, Pause(60))


def never(request: Request, tokens: int) -> Reply:
    """No byte of an answer for a minute."""
    return Reply(headers_after=60.0)


def fails(status: int, kind: str) -> Play:
    return lambda request, tokens: answers.error(status, kind, f"the upstream says {status}")


def grows(*kinds: str, pace_s: float = 0.0, chars: int = 300, gzip: bool = False) -> Play:
    """One block of each kind with text in proportion to what it costs: `chars` of it in each event."""

    def play(request: Request, tokens: int) -> Reply:
        size = tokens * BYTES_PER_TOKEN // len(kinds)
        blocks = {
            "text": answers.text("t" * size),
            "thinking": answers.thinking("h" * size),
            "tool": answers.tool_use(request, "Bash", {"command": "c" * size}),
        }
        made = answers.message(request, [blocks[kind] for kind in kinds], usage=usage(tokens), delta_chars=chars, pace_s=pace_s)
        return answers.gzipped(made) if gzip else made

    return play
