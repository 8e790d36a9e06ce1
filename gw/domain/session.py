"""What a session of Claude Code did: its turns, its agents, what its cache saved, what was billed again and why. Pure.

A turn is what followed from one prompt of the developer. Each agent ("" is the main one) has a conversation of its own, whose
prompt grows from call to call; the provider's cache holds it for as long as what was written says (5 minutes, or an hour), anew
with each use. What an earlier call of the same agent had in the cache and the next one did not read from it was billed again, and
what the two calls look like says why, as a rule.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

Cause = Literal["", "expired", "model_changed", "compacted", "prefix_changed", "not_cached"]
TTL_5M_US, TTL_1H_US = 300_000_000, 3_600_000_000
TOLERATED_TOKENS = 1024  # a prefix may end a block earlier without anything having happened
SHRUNK = (6, 10)  # a prompt of less than that part of the one before was compacted
READ_PART = 10  # of an input token's price a token read from the cache costs a tenth, where a row does not say


class SessionCall(Struct, frozen=True):
    """What the analysis looks at of a call. Amounts in pico-USD, times in microseconds."""

    call_id: str
    prompt_id: str
    agent_id: str
    parent_agent_id: str
    started_us: int
    ended_us: int
    outcome: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    thinking_tokens: int
    billed_pusd: int
    input_pusd: int
    output_pusd: int
    cache_read_pusd: int
    cache_write_5m_pusd: int
    cache_write_1h_pusd: int

    @property
    def written_tokens(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def cached_tokens(self) -> int:
        """What the cache holds of its prompt once it is over."""
        return self.cache_read_tokens + self.written_tokens

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cached_tokens


class CacheUse(Struct, frozen=True):
    """How a call used the cache. `again_tokens` had been in the cache and were billed at full price or written anew."""

    hit_permille: int  # of its prompt, read from the cache
    again_tokens: int = 0
    again_pusd: int = 0  # beyond what reading them would have cost; about, where the row has no rate for it
    cause: Cause = ""
    gap_us: int = 0  # since the call before of the same agent


class Turn(Struct, frozen=True):
    prompt_id: str
    started_us: int
    ended_us: int
    calls: int
    agents: int  # beside the main one
    tokens: int
    billed_pusd: int
    cumulated_pusd: int  # of the session, up to this one


class Agent(Struct, frozen=True):
    """A node of the tree. `total_pusd`: with all that it has started."""

    agent_id: str
    parent_agent_id: str
    depth: int
    models: tuple[str, ...]
    calls: int
    started_us: int
    ended_us: int
    billed_pusd: int
    total_pusd: int


class Reason(Struct, frozen=True):
    """One thing that made it expensive. Reasons overlap: they do not add up to the whole."""

    slug: str
    billed_pusd: int
    permille: int  # of what the session cost
    said: str


def turns(calls: Sequence[SessionCall]) -> list[Turn]:
    """In the order in which they began. Calls without a prompt's id are a turn together."""
    groups: dict[str, list[SessionCall]] = {}
    for call in sorted(calls, key=lambda call: call.started_us):
        groups.setdefault(call.prompt_id, []).append(call)
    found, sum_pusd = [], 0
    for prompt_id, these in groups.items():
        billed = sum(call.billed_pusd for call in these)
        sum_pusd += billed
        found.append(
            Turn(
                prompt_id,
                these[0].started_us,
                max(call.ended_us for call in these),
                len(these),
                len({call.agent_id for call in these} - {""}),
                sum(call.prompt_tokens + call.output_tokens for call in these),
                billed,
                sum_pusd,
            )
        )
    return found


def cache_uses(calls: Sequence[SessionCall]) -> dict[str, CacheUse]:
    """By call id."""
    found: dict[str, CacheUse] = {}
    before: dict[str, SessionCall] = {}
    for call in sorted(calls, key=lambda call: call.started_us):
        if not call.prompt_tokens:
            continue  # refused, or nothing is known of it
        last = before.get(call.agent_id)
        before[call.agent_id] = call
        found[call.call_id] = cache_use(call, last)
    return found


def cache_use(call: SessionCall, last: SessionCall | None) -> CacheUse:
    """`last`: the call before of the same agent; None: it is the first."""
    hit = call.cache_read_tokens * 1000 // call.prompt_tokens
    if last is None:
        return CacheUse(hit)
    gap_us = max(call.started_us - last.ended_us, 0)
    again = min(last.cached_tokens, call.prompt_tokens) - call.cache_read_tokens
    if again <= TOLERATED_TOKENS:
        uncached = not call.cached_tokens and not last.cached_tokens and call.prompt_tokens > TOLERATED_TOKENS
        return CacheUse(hit, cause="not_cached" if uncached else "", gap_us=gap_us)
    return CacheUse(hit, again, _extra_pusd(call, again), _cause(call, last, gap_us), gap_us)


def _cause(call: SessionCall, last: SessionCall, gap_us: int) -> Cause:
    if call.model != last.model:
        return "model_changed"  # each model has a cache of its own
    if call.prompt_tokens * SHRUNK[1] < last.prompt_tokens * SHRUNK[0]:
        return "compacted"
    if gap_us > (TTL_1H_US if last.cache_write_1h_tokens and not last.cache_write_5m_tokens else TTL_5M_US):
        return "expired"
    return "prefix_changed"


def _extra_pusd(call: SessionCall, again: int) -> int:
    """What these tokens cost beyond being read, at the rates that the call's own amounts show."""
    written = min(again, call.written_tokens)
    plain = min(again - written, call.input_tokens)
    paid = _part(call.cache_write_5m_pusd + call.cache_write_1h_pusd, written, call.written_tokens)
    paid += _part(call.input_pusd, plain, call.input_tokens)
    if call.cache_read_tokens:
        read = _part(call.cache_read_pusd, written + plain, call.cache_read_tokens)
    elif call.input_tokens:
        read = _part(call.input_pusd, written + plain, call.input_tokens) // READ_PART
    else:
        read = paid // (READ_PART + 2)  # a write costs a quarter more than input, and a read a tenth of that
    return max(paid - read, 0)


def _part(amount: int, count: int, of: int) -> int:
    return amount * count // of if of else 0


def agents(calls: Sequence[SessionCall]) -> list[Agent]:
    """Each after its parent, children in the order in which they began. One whose parent made no call is the main one's, as are
    those whose parents go in a circle."""
    groups: dict[str, list[SessionCall]] = {"": []}
    for call in sorted(calls, key=lambda call: call.started_us):
        groups.setdefault(call.agent_id, []).append(call)
    children: dict[str, list[str]] = {}
    for agent_id, these in groups.items():
        if agent_id:
            parent = these[0].parent_agent_id
            children.setdefault(parent if parent in groups and parent != agent_id else "", []).append(agent_id)
    order = _order("", children)
    seen = {agent_id for agent_id, _, _ in order}
    for agent_id in groups:
        if agent_id not in seen:  # parents in a circle
            more = _order(agent_id, children)
            order += [(one, above if one != agent_id else "", level + 1) for one, above, level in more if one not in seen]
            seen |= {one for one, _, _ in more}
    totals = {agent_id: total_pusd(these) for agent_id, these in groups.items()}
    for agent_id, above, _ in reversed(order):
        if agent_id:
            totals[above] += totals[agent_id]
    return [_agent(agent_id, above, level, groups[agent_id], totals[agent_id]) for agent_id, above, level in order]


def _order(agent_id: str, children: dict[str, list[str]]) -> list[tuple[str, str, int]]:
    """The agent and all below it, each with its parent and depth."""
    order: list[tuple[str, str, int]] = []
    seen: set[str] = set()
    waiting = [(agent_id, "", 0)]
    while waiting:
        one, above, level = waiting.pop()
        if one not in seen:
            seen.add(one)
            order.append((one, above, level))
            waiting += [(child, one, level + 1) for child in reversed(children.get(one, []))]
    return order


def _agent(agent_id: str, above: str, level: int, calls: list[SessionCall], total: int) -> Agent:
    return Agent(
        agent_id,
        above,
        level,
        tuple(dict.fromkeys(call.model for call in calls)),
        len(calls),
        calls[0].started_us if calls else 0,
        max((call.ended_us for call in calls), default=0),
        total_pusd(calls),
        total,
    )


def total_pusd(calls: Iterable[SessionCall]) -> int:
    return sum(call.billed_pusd for call in calls)
