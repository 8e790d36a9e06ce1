"""The tables of config.toml about routing: routes, tiers, rules, and what holds for all attempts. Part of `model.py`."""

from typing import Annotated, Any, Literal

from msgspec import field

from gw.config.schema import Table, about

WEIGHT_MAX = 1000
PRIORITY_MAX = 100
TOKENS_MAX = 10_000_000
Names = tuple[str, ...]


class Routing(Table, frozen=True):
    """How often a call is tried, when an upstream is left alone, and where a session stays (docs/routing.md)."""

    attempts_max: Annotated[int, about("Tries of one call in all, on whatever upstreams.", low=1, high=10)] = 4
    retry_base_ms: Annotated[
        int, about("The first wait before the same upstream is tried again is up to this long.", unit="ms", low=1, high=60_000)
    ] = 250
    retry_cap_s: Annotated[float, about("No wait between two tries is longer.", unit="s", low=0.01, high=300)] = 8
    retry_percent: Annotated[
        int, about("Second tries of all calls together: at most this part of the calls.", unit="%", low=0, high=100)
    ] = 20
    retry_floor: Annotated[
        int, about("So many second tries a minute and worker are always allowed.", unit="tries a minute", low=0, high=10_000)
    ] = 30
    breaker_failures: Annotated[
        int, about("After so many failures in a row an upstream's credential is left alone for a while.", low=1, high=1000)
    ] = 5
    breaker_percent: Annotated[
        int, about("So is one of whose calls this part fails within the time below.", unit="%", low=1, high=100)
    ] = 50
    breaker_calls_min: Annotated[int, about("That part is judged from so many calls on.", low=1, high=100_000)] = 10
    breaker_window_s: Annotated[int, about("The time in which they are counted.", unit="s", low=1, high=600)] = 30
    cooldown_s: Annotated[
        float,
        about(
            "How long it is first left alone; then one call tries it, and each failure of such a call doubles the time.",
            unit="s",
            low=0.1,
            high=3600,
        ),
    ] = 5
    cooldown_max_s: Annotated[
        float, about("After failures it is left alone for no longer than this.", unit="s", low=0.1, high=86_400)
    ] = 60
    latency_half_life_s: Annotated[
        float, about("A time to the first byte counts half after so long.", unit="s", low=0.1, high=3600)
    ] = 10
    avoid_below_percent: Annotated[
        int,
        about("A credential with less than this part of its rate limit left is used last.", unit="%", low=0, high=100),
    ] = 5
    affinity_sessions: Annotated[
        int, about("Sessions whose upstream is remembered, per worker.", unit="sessions", low=1, high=10_000_000)
    ] = 20_000
    queue_s: Annotated[
        float, about("How long a call waits for a place at a saturated upstream. 0: not at all.", unit="s", low=0, high=300)
    ] = 10
    queue_calls_max: Annotated[
        int, about("Calls that wait at one upstream, per worker; further ones are refused with 529.", low=1, high=100_000)
    ] = 1000

    team_weights: Annotated[
        dict[str, Any],
        about("Which part of the places a team gets where calls wait: { platform = 3 }. All others have 1.", kind="weights"),
    ] = field(default_factory=dict)


class TierNames(Table, frozen=True):
    """Where Claude Code's models of each tier go."""

    haiku: Annotated[str, about("Instead of any Haiku: upstream/model, or a route's name. Empty: as asked.")] = ""
    sonnet: Annotated[str, about("Instead of any Sonnet. Empty: as asked.")] = ""
    opus: Annotated[str, about("Instead of any Opus. Empty: as asked.")] = ""
    fable: Annotated[str, about("Instead of any Fable. Empty: as asked.")] = ""


class TierOverride(TierNames, frozen=True):
    """Other tiers for one team or key, with or without a file entry of its own. A key's go before its team's."""

    team: Annotated[str, about("Calls of this team.", kind="scope", example="platform")] = ""
    key: Annotated[str, about("Calls of this virtual key.", kind="scope")] = ""


class Tiers(TierNames, frozen=True):
    """Where Claude Code's own models go, for everybody: all ids of a tier, whatever their version, date and prefix."""

    override: tuple[TierOverride, ...] = ()


class RouteCandidate(Table, frozen=True):
    """One place that a route may send to."""

    upstream: Annotated[str, about("Name of the upstream.", example="anthropic")]
    model: Annotated[str, about("Name of the model there; each * is what the route's * stood for. Empty: as asked.")] = ""
    weight: Annotated[int, about("Its part among those of the same priority.", low=1, high=WEIGHT_MAX)] = 1
    priority: Annotated[
        int, about("Those of a higher number are tried only after all of a lower one.", low=1, high=PRIORITY_MAX)
    ] = 1
    tier: Annotated[
        Literal["", "haiku", "sonnet", "opus"], about('With by = "complexity": for prompts of this kind. Empty: for all.')
    ] = ""
    context_tokens: Annotated[int, about("How long a prompt it takes. 0: not known.", unit="tokens", low=0, high=TOKENS_MAX)] = 0


class Route(Table, frozen=True):
    """A model's name, or a pattern of names, and where calls for it go."""

    model: Annotated[
        str,
        about(
            "What clients ask for, in any case and with or without [1m]. Rules name the route by it.", kind="glob", example="fast"
        ),
    ]
    by: Annotated[
        Literal["weight", "latency", "complexity"],
        about(
            "Who of the same priority serves a new session: by weight, the one that answers soonest, or by what the prompt "
            "looks like."
        ),
    ] = "weight"
    haiku_below: Annotated[float, about("With complexity: prompts below this score are for the tier haiku.", low=0, high=1)] = 0.3
    opus_from: Annotated[
        float,
        about("With complexity: prompts from this score on are for the tier opus, those between for sonnet.", low=0, high=1),
    ] = 0.6
    on_context_full: Annotated[
        Literal["pass", "failover"],
        about("When the upstream says that the prompt is too long: pass that on, or try a candidate that takes more."),
    ] = "pass"
    candidates: tuple[RouteCandidate, ...] = ()


class Conditions(Table, rename={"not_": "not"}, frozen=True):
    """What must hold of a call, all of it. Of a list one must hold; a pattern with ! before it must not match."""

    model: Annotated[Names, about("Asked for, in any case and with or without [1m].", kind="names")] = ()
    key: Annotated[Names, about("Name or public id of the virtual key.", kind="names")] = ()
    team: Annotated[Names, about("Team.", kind="names")] = ()
    customer: Annotated[Names, about("Customer.", kind="names")] = ()
    project: Annotated[Names, about("Project, as the client names it.", kind="names")] = ()
    agent: Annotated[Names, about("Id of the subagent.", kind="names")] = ()
    header: Annotated[dict[str, Names], about("Headers of the request and what they say.", kind="patterns")] = field(
        default_factory=dict
    )
    kind: Annotated[Names, about("Who of Claude Code asks.", kind="kinds")] = ()
    prompt_tokens: Annotated[Names, about("Length of the prompt, estimated from its bytes.", kind="ranges")] = ()
    cached_tokens: Annotated[Names, about("How much of it the session's prompt cache holds.", kind="ranges")] = ()
    max_tokens: Annotated[Names, about("What the request says; a request without it is none.", kind="ranges")] = ()
    stream: Annotated[bool | None, about("Whether it asks for a stream.", kind="flag")] = None
    tools: Annotated[bool | None, about("Whether it brings tools.", kind="flag")] = None
    images: Annotated[bool | None, about("Whether it holds images.", kind="flag")] = None
    thinking: Annotated[bool | None, about("Whether it asks for thinking.", kind="flag")] = None
    cache_warm: Annotated[bool | None, about("Whether its session has a prompt cache that is still warm.", kind="flag")] = None
    effort: Annotated[Names, about("The effort it asks for.", kind="efforts")] = ()
    time: Annotated[Names, about("When, such as Mon-Fri 22:00-06:00 Europe/Berlin.", kind="times")] = ()
    budget: Annotated[str, about("Which budget budget_used_percent is about. Empty: the fullest on the call's path.")] = ""
    budget_used_percent: Annotated[Names, about("How much of it is spent or set aside, in whole percent.", kind="ranges")] = ()


class When(Conditions, rename={"not_": "not"}, frozen=True):
    """Which calls the rule is for: all that stands here must hold. Empty: every call."""

    any: tuple[Conditions, ...] = ()
    not_: Conditions = Conditions()


class Do(Table, frozen=True):
    """What the rule does to a call."""

    route: Annotated[str, about("Take this route, whatever model was asked for. Empty: no such thing.")] = ""
    model: Annotated[str, about("As if this model had been asked for. Empty: no such thing.")] = ""
    max_tokens: Annotated[
        int, about("The answer is capped at this. 0: no such thing.", unit="tokens", low=0, high=TOKENS_MAX)
    ] = 0
    effort: Annotated[
        Literal["", "none", "minimal", "low", "medium", "high", "xhigh"], about("No more effort than this. Empty: no such thing.")
    ] = ""
    wait_s: Annotated[
        float,
        about("Slow down: it is sent after this wait. 0: no such thing.", unit="s", low=0, high=60),
    ] = 0
    deny: Annotated[str, about("Refuse it, with these words. Empty: no such thing.")] = ""
    tag: Annotated[Names, about("Added to the call's tags.", kind="columns")] = ()
    shadow: Annotated[bool, about("true: only the call's row says what would have been done.")] = False
    candidates: tuple[RouteCandidate, ...] = ()


class Rule(Table, frozen=True):
    """What to do with calls of some kind. Rules are asked in their order."""

    name: Annotated[str, about("Recorded with each call that it changed.", kind="name", example="night shift")]
    active: Annotated[bool, about("false: it is passed over.")] = True
    then: Annotated[Literal["stop", "go on"], about("Whether the rules after it are asked as well.")] = "stop"
    when: When = When()
    do: Do = Do()


EXAMPLES = {
    "route": """\
[[route]]  # two upstreams share the sessions, one to three; a third serves when both fail
model = "claude-*"

[[route.candidates]]
upstream = "anthropic"
weight = 3

[[route.candidates]]
upstream = "anthropic-eu"

[[route.candidates]]
upstream = "elsewhere"
model = "anthropic/claude-*"
priority = 2

[[route]]  # clients ask for "auto"; the prompt decides
model = "auto"
by = "complexity"
candidates = [
  { upstream = "anthropic", model = "claude-haiku-5-5", tier = "haiku" },
  { upstream = "anthropic", model = "claude-sonnet-5-5", tier = "sonnet" },
  { upstream = "anthropic", model = "claude-opus-5-5", tier = "opus" },
]

[[upstream]]
name = "anthropic"

[[upstream]]
name = "anthropic-eu"

[[upstream]]
name = "elsewhere"
""",
    "rule": """\
[[rule]]  # subagents get Sonnet, unless they are warm already
name = "cheaper agents"
when = { kind = "subagent", model = "claude-opus-*", cache_warm = false }
do = { model = "claude-sonnet-5-5", tag = ["downgraded"] }

[[rule]]  # at night and at the end of the money answers are short
name = "short"
then = "go on"
do = { max_tokens = 8000, effort = "low" }

[rule.when]
not = { team = "on-call" }
any = [
  { time = "22:00-06:00 Europe/Berlin" },
  { budget_used_percent = ">= 90" },
]

[[rule]]  # what a ban would do, before it is one
name = "no huge prompts"
when = { prompt_tokens = "> 500k", key = "!ci-*" }
do = { deny = "Prompts above 500,000 tokens need the key ci-large.", shadow = true }
""",
}
