"""What a call may cost and how fast its account may go: estimate, admission, the meter beside its stream, settlement.

One per worker. The only place where calls, prices and the shared state of budgets meet. Every call that is admitted here is
settled here exactly once (`settle`, from `Worker.settle`); what happens if the process dies in between is the keeper's
(`gw.spend`), who finds the hold in the slot that carries the call's id.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from gw._fast import amount_text, weigh
from gw.admit.card import SLICE_TOKENS, Estimate
from gw.admit.estimate import Estimator, nusd
from gw.admit.gate import Blocked, CompiledPath, Gate, NotFree, Stale, charge_debts, shadowed
from gw.admit.hold import NOTHING, Hold, shrink, wanted_of
from gw.clock import mono_ns, wall_us
from gw.domain.budget_book import PathRules
from gw.domain.call import WHO
from gw.domain.estimate import complete
from gw.domain.settled import Settled
from gw.domain.standing import Standing
from gw.errors import Refusal
from gw.settle import Call, columns_of
from gw.wire import budgets as say
from gw.wire.budgets import NUSD_DECIMALS, REMAINING

if TYPE_CHECKING:
    from gw.worker import Worker

log = logging.getLogger("gw.governor")

POLL_S = 0.005  # how often the first of those that wait for a budget looks whether it has room
MORE_WAIT_NS = 2_000_000_000  # how long a stream waits for more before it is ended
SLOTS_TRIED = 8
NEVER_BYTES = 1 << 60
SESSION, AGENT, MODEL = (WHO.index(name) for name in ("session_id", "agent_id", "requested_model"))
LAST_PARTS = 32  # a stream that can get no more is ended when less than this part of a slice is left of what it holds


class Waiting(NamedTuple):
    """A call that may be made as soon as others give back what they have set aside."""

    rules: PathRules
    estimate: Estimate
    path: CompiledPath
    blocked: Blocked


class Governor:
    """`admit` before anything goes upstream; `grow` while a stream runs; `settle` once, synchronously, at the end."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._block = worker.block
        self.gate = Gate(worker.state.cells, worker.state.buckets)
        self._estimator = Estimator()
        self._queues: dict[int, asyncio.Lock] = {}  # by cell: those that wait for it, in the order of their coming

    def admit(self, call: Call, plain: bytes) -> Waiting | None:
        """At once, if it can be: else what it is to `wait` for. `plain`: the body, readable. Raises Refusal."""
        rules = rules_of(call)
        account = call.account
        if not (rules.budgets or rules.limits or account.max_cost_nusd or account.max_tokens):
            return None
        estimate = self._estimate(call, plain, rules)
        if not (rules.budgets or rules.limits):
            return None
        try:
            path = self.gate.compiled(rules, call.charged_us)
            self.gate.take_rates(path, mono_ns())
        except Blocked as blocked:
            if blocked.why == "unreadable":
                self._unread(call, rules)
                return None
            raise self.refusal(call, blocked) from None
        if not path.halves:
            call.hold = Hold(path, None, None)
            return None
        try:
            call.hold = self._try(call, rules, estimate)
        except Blocked as blocked:
            if blocked.why == "reserved":
                return Waiting(rules, estimate, path, blocked)
            self.gate.give_rates(path)
            raise self.refusal(call, blocked) from None
        except BaseException:
            self.gate.give_rates(path)
            raise
        return None

    def admit_unweighed(self, call: Call) -> None:
        """A call whose cost nobody can know before: by its limits of requests, and as long as no hard budget on its path is
        spent. Nothing is set aside: what it costs the keeper charges, from its row. Raises Refusal."""
        rules = call.snapshot.budget_book.for_path(path_of(call))
        if not (rules.budgets or rules.limits):
            return
        now_us = wall_us()
        try:
            path = self.gate.compiled(rules, now_us)
            self.gate.take_rates(path, mono_ns())
        except Blocked as blocked:
            if blocked.why == "unreadable":
                self._unread(call, rules)
                return
            raise self.refusal(call, blocked) from None
        for standing in self.gate.standings(path):
            if standing.budget.mode == "hard" and standing.settled_nusd >= standing.limit_nusd:
                self.gate.give_rates(path)
                raise say.budget_refusal(standing, call.call_id, now_us)

    async def wait(self, call: Call, waiting: Waiting) -> None:
        """Until what others have set aside comes back, `budgets.wait_s` at most. Raises Refusal."""
        self._block.waits(1)
        try:
            call.hold = await self._queue(call, waiting)
        except BaseException as error:
            self.gate.give_rates(waiting.path)
            if isinstance(error, Blocked):
                raise self.refusal(call, error) from None
            raise
        finally:
            self._block.waits(-1)

    def _unread(self, call: Call, rules: PathRules) -> None:
        """The shared state has no room for an account of this call. Raises Refusal, unless nothing forbids that it goes on all
        the same, and only the ledger knows of it."""
        hard = rules.hard
        if (hard or rules.limits) and call.snapshot.config.budgets.unreadable == "refuse":
            raise say.unreadable_refusal(call.call_id, hard)
        call.charged_us = 0  # no rule has charged it: the keeper does, from its record
        log.error("call %s is left to the keeper to charge: the shared state is full", call.call_id)

    def _estimate(self, call: Call, plain: bytes, rules: PathRules) -> Estimate:
        """Raises Refusal if the key's own bounds forbid the call, or if a hard budget cannot know its cost."""
        account, peek, terms = call.account, call.peek, call.terms
        assert peek is not None
        assert terms is not None
        weight = peek.weight if peek.weight is not None else weigh(plain)  # of the same body: what is peeked is admitted
        if account.max_tokens and weight.output_cap > account.max_tokens:
            contact = call.snapshot.config.budgets.contact
            raise say.max_tokens_refusal(account.key_name, weight.output_cap, account.max_tokens, call.call_id, contact)
        tariff = call.snapshot.book.tariff(terms)
        if tariff is None:
            hard = rules.hard
            if (hard or account.max_cost_nusd) and call.snapshot.config.budgets.unreadable == "refuse":
                raise say.unreadable_refusal(call.call_id, hard)
            return NOTHING
        who = columns_of(call)
        trail = call.known.trail_of(self._estimator) if call.known is not None else None
        estimate = self._estimator.estimate(
            tariff, weight, peek.model or "", account.key_id, who[SESSION], who[AGENT], call.charged_us, trail
        )
        call.weight = weight
        if account.max_cost_nusd and estimate.worst_nusd > account.max_cost_nusd:
            contact = call.snapshot.config.budgets.contact
            raise say.too_costly_refusal(account.key_name, estimate.worst_nusd, account.max_cost_nusd, call.call_id, contact)
        return estimate

    async def _queue(self, call: Call, waiting: Waiting) -> Hold:
        """Raises Blocked, Refusal."""
        rules, first = waiting.rules, waiting.blocked
        cell = first.cell
        queue = self._queues.setdefault(cell, asyncio.Lock())
        try:
            async with asyncio.timeout(call.snapshot.config.budgets.wait_s):
                async with queue:
                    while True:
                        call.charged_us = max(wall_us(), call.started_us)
                        if call.snapshot is not self._worker.snapshot:  # the rules have been replaced meanwhile
                            call.snapshot = self._worker.snapshot
                            rules = call.snapshot.budget_book.for_path(path_of(call))
                        try:
                            return self._try(call, rules, waiting.estimate)
                        except Blocked as blocked:
                            if blocked.why != "reserved":
                                raise
                            first = blocked
                        await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise first from None
        finally:
            if not queue.locked():
                self._queues.pop(cell, None)

    def _try(self, call: Call, rules: PathRules, estimate: Estimate) -> Hold:
        """Raises Blocked, or Refusal if this worker has no slot left."""
        block = self._block
        for attempt in range(SLOTS_TRIED):
            path = self.gate.compile(rules, call.charged_us) if attempt else self.gate.compiled(rules, call.charged_us)
            two = len(path.halves) > 1
            slot, second = block.take_slot(call.call_id), block.take_slot(call.call_id) if two else -1
            try:
                if slot < 0 or (two and second < 0):
                    raise say.busy_refusal(call.call_id)
                first = block.ordinal(slot)
                ordinals = (first, block.ordinal(second)) if two else (first, first)
                hold = self.gate.hold(path, estimate.typical_nusd, estimate.worst_nusd, ordinals, call.charged_us)
            except Stale:
                self._give(slot, second)
            except NotFree:
                continue  # not given back: the keeper has yet to settle what is in it; a restarted worker has others
            except BaseException:
                self._give(slot, second)
                raise
            else:
                call.slot, call.second_slot = slot, second
                hold.estimate = estimate
                return hold
        raise say.busy_refusal(call.call_id)

    def _give(self, *slots: int) -> None:
        for slot in slots:
            self._block.give_slot(slot)

    def refusal(self, call: Call, blocked: Blocked) -> Refusal:
        now_us = wall_us()
        if blocked.standing is not None:
            if blocked.why == "spent":
                return say.budget_refusal(blocked.standing, call.call_id, now_us, blocked.needed_nusd)
            return say.reserved_refusal(blocked.standing, call.call_id)
        if blocked.limit is not None:
            if blocked.why == "parallel":
                return say.parallel_refusal(blocked.limit, blocked.account, call.call_id)
            return say.rate_refusal(blocked.limit, blocked.account, blocked.wait_ns, call.call_id)
        return say.unreadable_refusal(call.call_id)

    # --- while it runs ----------------------------------------------------------------------------------------------------

    def grow(self, call: Call, hold: Hold) -> Blocked | None:
        """The stream has grown to `hold.look_at`: notes what it has cost so far and sets more aside. What it answers, refuses
        that: the call goes on at its account's expense only as far as a block takes to end."""
        reading = call.read()
        if not reading.started:
            return None
        if reading.final_usage:  # nothing more will be generated
            hold.look_at = NEVER_BYTES
            return None
        estimate = hold.estimate
        assert call.terms is not None
        assert call.peek is not None
        known, _ = complete(reading, model=call.peek.model or "", request_bytes=call.body_bytes)
        priced = call.snapshot.book.charge(call.terms, known, call.started_us)
        spent = nusd(priced.billed_pusd)
        hold.observe(spent)
        if hold.typical is not None:
            if not hold.look_at:
                shrink(hold, spent)
            refused = self._extend(hold, spent)
            if refused is not None:
                left = hold.held_nusd - spent
                if left * LAST_PARTS <= estimate.slice_nusd:
                    return refused
                # What it holds will do for a while, and others may have ended by then.
                hold.look_at = reading.text_bytes + left * SLICE_TOKENS * estimate.bytes_per_token // (2 * estimate.slice_nusd)
                return None
        hold.look_at = reading.text_bytes + (SLICE_TOKENS * estimate.bytes_per_token or NEVER_BYTES)
        return None

    def _extend(self, hold: Hold, spent: int) -> Blocked | None:
        """Sees to it that a slice more than was spent is held, or all that the call can cost; if there is no room for that, what
        room there is."""
        wanted, most = wanted_of(hold, spent)
        if wanted <= hold.held_nusd:
            return None
        extra = min(max(wanted - hold.held_nusd, hold.estimate.slice_nusd), most - hold.held_nusd)
        refused = self.gate.extend(hold, extra)
        if refused is None:
            hold.held_nusd += extra
        elif refused.standing is not None:
            room = refused.standing.limit_nusd - refused.standing.used_nusd
            if 0 < room < extra and self.gate.extend(hold, room) is None:
                hold.held_nusd += room
        return refused

    async def more(self, call: Call, hold: Hold) -> Blocked | None:
        """`grow`, waiting a moment for what others give back while the budget is not really spent. Nothing is read from the
        upstream meanwhile."""
        deadline_ns = mono_ns() + MORE_WAIT_NS
        while True:
            refused = self.grow(call, hold)
            if refused is None or refused.standing is None:
                return refused
            if refused.standing.settled_nusd >= refused.standing.limit_nusd or mono_ns() >= deadline_ns:
                return refused
            if refused.standing.reserved_nusd <= hold.held_nusd:  # nobody else has anything to give back
                return refused
            await asyncio.sleep(POLL_S)

    def stop_event(self, call: Call, blocked: Blocked) -> bytes:
        """The error that ends the stream, after the call's settlement: what it says is spent is spent."""
        return say.stop_event(self._standing_of(call, blocked), call.call_id, at_boundary=True)

    def stop_text(self, call: Call, blocked: Blocked) -> str:
        """What that error says, for a client that speaks another dialect."""
        return say.spent_text(self._standing_of(call, blocked), call.call_id, 0, running=True)

    def _standing_of(self, call: Call, blocked: Blocked) -> Standing:
        assert call.hold is not None
        now = [one for one in self.gate.standings(call.hold.path) if one.budget.id == blocked.rule]
        assert now, "a stream is ended by a budget on its path"
        return now[0]

    def replaced(self) -> None:
        """A new snapshot is in force: its limits count for the calls that run, too."""
        self.gate.forget()
        rules = self._worker.snapshot.budget_book
        for call in self._worker.running:
            hold = call.hold
            if hold is not None and hold.slots and call.record is None:
                try:
                    self.gate.relimit(hold, rules.for_path(path_of(call)), call.charged_us)
                except Blocked:
                    log.error("call %s goes on under the limits it began with: the shared state is full", call.call_id)

    def headers(self, call: Call) -> list[tuple[bytes, bytes]]:
        """What a successful answer says of the budgets on its path. While they have nothing to warn of, all but one header is as
        it was for the call before."""
        hold = call.hold
        path = hold.path if hold is not None else None
        if path is None or not path.halves:
            return []
        native = not call.own_credential
        half = path.halves[0]
        seen = half.path.glance() if len(path.halves) == 1 else None
        if seen is None:
            return say.success_headers(self.gate.standings(path), native=native)
        tightest, remaining, fullest, percent = seen
        if tightest < 0:
            return []
        words = ((tightest << 8 | fullest) << 8 | percent) << 1 | native
        if words != path.said_words:
            steady = path.said.get(words)
            if steady is None:
                least, most = self.gate.standing(half, tightest), self.gate.standing(half, fullest)
                steady = path.said[words] = say.steady_headers(least, most, percent, native=native)
            path.said_words, path.said_last = words, steady
        return [(REMAINING, amount_text(remaining, NUSD_DECIMALS)), *path.said_last]

    def let_go(self, call: Call) -> None:
        """An attempt has cost nothing, and the next one goes to another upstream, on other budgets' paths: what was set aside and
        taken for it is given back, and the call can be admitted again."""
        hold, call.hold = call.hold, None
        if hold is not None:
            hold.void()
            self.gate.give_rates(hold.path)
        self._give(call.slot, call.second_slot)
        call.slot = call.second_slot = -1
        call.who = call.who_columns = None
        call.weight = call.tap = None

    # --- at its end -------------------------------------------------------------------------------------------------------

    def before_record(self, call: Call, hold: Hold) -> None:
        path = hold.path
        if path.shades:
            call.shadowed = shadowed(hold)

    def settle(self, call: Call, hold: Hold, record: Settled) -> None:
        """After the record is in the journal: whoever dies before this line is settled from there."""
        cost = nusd(record.billed_pusd)
        if not record.charged:
            hold.void()
            return
        hold.post(cost, record.exact)
        path = hold.path
        if path.debts:
            inputs = (
                record.input_tokens + record.cache_read_tokens + record.cache_write_5m_tokens + record.cache_write_1h_tokens
            )
            charge_debts(path, inputs, record.output_tokens, cost, mono_ns())
        if record.exact and call.weight is not None:
            who = columns_of(call)
            model, key, session, agent = who[MODEL], call.account.key_id, who[SESSION], who[AGENT]
            found = call.last_word()
            if found is not None and not found.iterations:
                self._estimator.learn_found(hold.estimate, call.weight, found, model, key, session, agent, call.charged_us)
            else:
                self._estimator.learn(hold.estimate, call.weight, call.read().usage, model, key, session, agent, call.charged_us)


def rules_of(call: Call) -> PathRules:
    """What its account falls under, by the snapshot that it has now."""
    columns_of(call)
    known, book = call.known, call.snapshot.budget_book
    if known is None or known.version != call.snapshot.version:
        return book.for_path(path_of(call))
    if known.rules is None:
        rules = known.rules = book.for_path(path_of(call))
        known.ruled = bool(rules.budgets or rules.limits)
    return known.rules


def path_of(call: Call) -> tuple[str, ...]:
    """The values of its CallPath, from the columns of the record, so that the ledger knows the same accounts."""
    key_id, key_name, team, customer, _, upstream, session, _, _, _, _, project, _, _, model = columns_of(call)
    return (customer, team, key_name, key_id, upstream, model, project, session)
