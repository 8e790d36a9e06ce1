"""What routing looks at of a call, and where it may send it. Pure nouns.

Facts that no rule and no route waits for need not be found out: `Router.wants` names the ones that do.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

Fact = Literal["headers", "weight", "words", "budgets", "session"]
"""What a rule may wait for beyond what every call has: `headers`; `weight`: prompt_tokens, max_tokens, tools, images; `words`:
what gw.routing.features reads; `budgets`; `session`: cached_tokens and warm."""

WEIGHT_SCALE = 1000  # weights stay whole where credentials divide them
ONE_CREDENTIAL = (("", 1),)
TITLE_TOKENS_MAX = 1024  # Claude Code asks for titles, summaries of pages and topics with small caps; work is never so small


class Words(NamedTuple):
    """What the body says beyond its weight (gw.routing.features)."""

    thinking: bool = False
    effort: str = ""  # as gw.domain.condition.EFFORTS; "" unsaid
    turns: int = 0  # messages
    last_text_bytes: int = 0  # of the last text that the user wrote
    code_blocks: int = 0  # in it
    hard: int = 0  # words in it that speak of hard work ...
    easy: int = 0  # ... and of easy work


NO_WORDS = Words()


class Warm(NamedTuple):
    """The prompt cache that the call's session has, at the moment of the call."""

    deployment: str
    model: str  # as sent there
    tokens: int  # that it holds
    ttl: int = 5  # minutes that it was written for: 5 or 60


class Asked(Struct, frozen=True, gc=False):
    """One call. `model` None: an endpoint without one."""

    model: str | None = None
    now_us: int = 0
    kind: str = "main"  # main, subagent, background
    agent: str = ""
    project: str = ""
    session: str = ""
    own_login: bool = False  # the client's own credential goes upstream, beside a virtual key or without one
    stream: bool = False
    prompt_tokens: int = 0
    max_tokens: int = -1  # -1: the request does not say
    tools: int = 0
    images: int = 0
    headers: Mapping[str, str] = {}  # names in lower case
    budgets: Mapping[str, int] = {}  # percent used by budget on its path; "" is the fullest
    words: Words = NO_WORDS
    warm: Warm | None = None  # None: no prompt cache, or a cold one


class Candidate(NamedTuple):
    """One place to try. `model`: the name to send there, which is the one asked for where nothing renames it."""

    deployment: str
    model: str
    weight: int = 1  # 0: only when no other of its priority can
    priority: int = 1
    reason: str = ""  # for the call's row: "route:claude-*", "rule:night shift", "complexity:0.31->haiku"
    credential: str = ""  # one of the deployment's, where it has several
    context_tokens: int = 0  # how long a prompt it takes; 0: not known

    @property
    def id(self) -> tuple[str, str]:
        """What health and affinity go by."""
        return self.deployment, self.credential


def kind_of(agent: str, request_class: str, *, tools: int, max_tokens: int) -> str:
    """Who of Claude Code asks: by the id of its agent; by its own word (x-claude-code-request-class) where it says one; else a
    call without tools and with a small cap is one of those that run beside a conversation."""
    if agent:
        return "subagent"
    if request_class:
        return "main" if request_class == "main" else "background"
    return "background" if not tools and 0 <= max_tokens <= TITLE_TOKENS_MAX else "main"


def with_credentials(
    candidates: tuple[Candidate, ...], credentials: Mapping[str, tuple[tuple[str, int], ...]]
) -> tuple[Candidate, ...]:
    """Each candidate once per credential of its deployment: `credentials` has (name, weight) of those that have several. Their
    weights divide the candidate's among them; one of weight 0 is for when no other can."""
    if not credentials:
        return candidates
    found = []
    for one in candidates:
        several = credentials.get(one.deployment) or ONE_CREDENTIAL
        whole = sum(weight for _, weight in several) or 1
        for name, weight in several:
            part = max(one.weight * WEIGHT_SCALE * weight // whole, 1) if weight else 0
            found.append(one._replace(credential=name, weight=part))
    return tuple(found)
