"""What routing has saved: each rerouted call priced as if it had not been, and what the change of model lost of the prompt cache.

For a call that was sent as another model than was asked for, with its tokens by class as they were billed:

    gross = price(tokens, model asked for) - billed
    loss  = price(tokens, model asked for) - price(tokens', model asked for)
    net   = gross - loss

tokens' are the same tokens, but what the conversation had in the cache of another model, and this call had to write or read as
plain input for that reason, counts as read from the cache: so it would have been without the change (gw.domain.session says what
was lost, and why). Going back loses, too: a call that went where it was asked to, after one of its conversation that did not, has
no gross, and its loss is what it paid beyond tokens' at its own model. Amounts are pico-USD; what has no price is counted apart.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gw.domain.call import CallRecord
from gw.domain.price import Priced
from gw.domain.session import SessionCall, cache_use

Price = Callable[[CallRecord], Priced | str]
_CALL = SessionCall.__struct_fields__
_NEXT = re.compile(r" (?=(?:rule|route|tier|complexity|shadow|kept):)")  # names of rules may have blanks in them


class Saved(Struct):
    """Sums of one reason (`rule:NAME`, `route:NAME`, `complexity`, `tier:NAME`). `net_pusd` may be negative."""

    reason: str
    calls: int = 0
    switches: int = 0  # calls that lost something of a cache
    lost_tokens: int = 0
    billed_pusd: int = 0
    gross_pusd: int = 0
    loss_pusd: int = 0
    unpriced: int = 0  # calls of which it cannot be said what they would have cost

    @property
    def net_pusd(self) -> int:
        return self.gross_pusd - self.loss_pusd


def savings(sessions: Iterable[Sequence[CallRecord]], price: Price, upstreams: Sequence[str], baseline: str = "") -> list[Saved]:
    """By reason, the largest net first. `price`: of a record by the prices in force. `upstreams`: where a model may have its
    price if it has none where the call went. `baseline`: what would have served instead; "" the model that was asked for."""
    found: dict[str, Saved] = {}

    def sums(route: str) -> Saved:
        return found.setdefault(reason_of(route), Saved(reason_of(route)))

    for session in sessions:
        before: dict[str, CallRecord] = {}
        for call in session:
            last = before.get(call.agent_id)
            if call.input_tokens + call.cache_read_tokens + call.cache_write_5m_tokens + call.cache_write_1h_tokens:
                before[call.agent_id] = call
            if call.route and call.sent_model:
                instead = replace(call, requested_model=baseline or call.requested_model, sent_model="", iterations="")
                _add(sums(call.route), call, last, _anywhere(price, upstreams), instead)
            elif last is not None and last.route and last.sent_model:
                _back(sums(last.route), call, last, price)
    return sorted(found.values(), key=lambda one: (-one.net_pusd, one.reason))


def reason_of(route: str) -> str:
    """The first of a row's reasons, without what differs from call to call: `complexity:0.31->haiku` -> `complexity`."""
    first = _NEXT.split(route, maxsplit=1)[0]
    return "complexity" if first.startswith("complexity:") else first


def lost_tokens(call: CallRecord, last: CallRecord | None) -> int:
    """What `last`, of the same conversation, had in the cache of another model, and `call` was billed for again."""
    if last is None:
        return 0
    use = cache_use(_as_sent(call), _as_sent(last))
    return use.again_tokens if use.cause == "model_changed" else 0


def kept_warm(call: CallRecord, tokens: int) -> CallRecord:
    """The call with so many of its tokens read from the cache: those that it wrote first, then plain input."""
    left = tokens
    changes: dict[str, int] = {}
    for name in ("cache_write_5m_tokens", "cache_write_1h_tokens", "input_tokens"):
        taken = min(left, getattr(call, name))
        changes[name] = getattr(call, name) - taken
        left -= taken
    return replace(call, **changes, cache_read_tokens=call.cache_read_tokens + tokens - left)


def _anywhere(price: Price, upstreams: Sequence[str]) -> Price:
    """At the upstream where it went, or else at the first that has a price for it."""

    def priced(call: CallRecord) -> Priced | str:
        found = price(call)
        for upstream in upstreams:
            if not isinstance(found, str):
                break
            found = price(replace(call, upstream=upstream))
        return found

    return priced


def _add(sums: Saved, call: CallRecord, last: CallRecord | None, price: Price, instead: CallRecord) -> None:
    sums.calls += 1
    instead = replace(instead, served_model=instead.requested_model)
    there = price(instead)
    if isinstance(there, str):
        sums.unpriced += 1
        return
    sums.billed_pusd += call.billed_pusd
    sums.gross_pusd += there.billed_pusd - call.billed_pusd
    tokens = lost_tokens(call, last)
    warm = price(kept_warm(instead, tokens)) if tokens else there
    if not isinstance(warm, str):
        _lose(sums, tokens, there.billed_pusd - warm.billed_pusd)


def _back(sums: Saved, call: CallRecord, last: CallRecord, price: Price) -> None:
    tokens = lost_tokens(call, last)
    cold, warm = (price(call), price(kept_warm(call, tokens))) if tokens else ("", "")
    if not isinstance(cold, str) and not isinstance(warm, str):
        _lose(sums, tokens, cold.billed_pusd - warm.billed_pusd)


def _lose(sums: Saved, tokens: int, loss_pusd: int) -> None:
    if tokens:
        sums.switches += 1
        sums.lost_tokens += tokens
        sums.loss_pusd += max(loss_pusd, 0)


def _as_sent(call: CallRecord) -> SessionCall:
    """A cache is a model's at an upstream."""
    values: dict[str, Any] = {name: getattr(call, name) for name in _CALL if name != "model"}
    return SessionCall(**values, model=f"{call.upstream}/{call.sent_model or call.requested_model}")
