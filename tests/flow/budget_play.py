"""Plays cases about budgets against a running gateway: one file of configuration holds the rules and keys of all of them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Self

from gw import clock
from gw.admit.standings import standing
from gw.budgets import book_of
from gw.config.load import parse
from gw.demo.exchange import Reply, Request
from gw.demo.upstream import UpstreamThread
from gw.domain.budget import Budget
from gw.domain.budget_book import BudgetBook
from gw.domain.key import mint
from gw.domain.window import bounds
from gw.ops.state import STATE_FILE, Own, StateFile, Word
from gw.snapshot import read
from tests.faults.processes import alive, family, kill
from tests.flow.budget_steps import (
    CUSTOMER_OF,
    OWN,
    PRICES,
    TEAM_OF,
    TOKENS_PER_USD,
    TOLD,
    Call,
    Case,
    Ends,
    Kill,
    Leave,
    Reload,
    Restart,
    Standing,
    Start,
    Tell,
    at_once,
    named,
)
from tests.flow.client import Answer, Pairs, Wire
from tests.flow.stage import JSON, Played, Stage, prompt
from tests.flow.stage import OWN as OWN_CREDENTIAL
from tests.support.claims import allowed
from tests.support.gateway import GatewayUnderTest, Row, config_text

NUSD_PER_USD = 10**9
CONNECTIONS_TRIED_MAX = 2_000
SETTLED_NS = 5 * 10**9
UNDER_WAY_NS = 30 * 10**9
CLEAR_US = 6_000_000  # no case begins so shortly before one of its windows ends
MODELS = 'models = ["gw-*", "claude-*", "unpriced-*"]'


@dataclass
class Cast:
    """The tables of one case as they stand in the file now."""

    case: Case
    tag: str
    secrets: dict[str, str]
    scene: Reload

    @classmethod
    def of(cls, case: Case, number: int) -> "Cast":
        secrets = {who: mint().text for who in case.callers()}
        return cls(case, f"n{number}", secrets, Reload(case.rules, TEAM_OF, CUSTOMER_OF, case.keys))

    def change(self, step: Reload) -> None:
        before = self.scene
        self.scene = Reload(
            before.rules if step.rules is None else step.rules,
            before.team_of if step.team_of is None else step.team_of,
            before.customer_of if step.customer_of is None else step.customer_of,
            before.keys if step.keys is None else step.keys,
        )

    def toml(self, upstream_url: str) -> str:
        rules, team_of, customer_of, keys = self.scene.rules, self.scene.team_of, self.scene.customer_of, self.scene.keys
        assert rules is not None and team_of is not None and customer_of is not None and keys is not None
        tag = self.tag
        lines = [f'[[customer]]\nname = "{tag}-{name}"' for name in sorted({*customer_of.values()} - {""})]
        for team, customer in customer_of.items():
            lines.append(f'[[team]]\nname = "{tag}-{team}"\ncustomer = "{named(tag, "customer", customer)}"')
        for who in self.secrets.keys() & team_of.keys():
            lines.append(f'[[key]]\nname = "{tag}-{who}"\nteam = "{named(tag, "team", team_of[who])}"')
            lines.append(f'secret = "{self.secrets[who]}"\n{keys.get(who, "")}')
        if any(rule.kind == "upstream" for rule in rules):
            secret = 'api_key = "env:GW_TEST_UPSTREAM_KEY"'
            lines.append(f'[[upstream]]\nname = "{tag}-up"\nmodels = ["up-{tag}"]\nbase_url = "{upstream_url}"\n{secret}')
        return "\n".join([*lines, *(rule.toml(tag) for rule in rules)]) + "\n"


@dataclass
class House:
    """The gateway with the cases that it serves. `book`: the rules in force."""

    stage: Stage
    casts: dict[str, Cast]
    workers: int
    budgets: str
    head: str  # of the configuration, without what comes from the cases
    book: BudgetBook = field(default_factory=BudgetBook)

    @property
    def gateway(self) -> GatewayUnderTest:
        return self.stage.gateway

    @property
    def state_dir(self) -> Path:
        return self.gateway.folder / "state"

    def text(self) -> str:
        tables = "\n".join(cast.toml(self.stage.upstream.base_url) for cast in self.casts.values())
        return f"{self.head}\n[budgets]\n{self.budgets}\n{tables}"

    @contextmanager
    def state(self) -> Iterator[StateFile]:
        state = StateFile(self.state_dir / STATE_FILE)
        try:
            yield state
        finally:
            state.close()

    def learn_book(self) -> None:
        published = read(self.state_dir)
        environ = self.gateway.process.environ
        loaded = parse(published.config_text, published.config_name, Path(published.config_base), environ)
        self.book = book_of(loaded.config)

    def kill_workers(self) -> None:
        old = set(family(self.gateway).workers)
        kill(*old)
        killed_ns = clock.mono_ns()
        self.gateway.poll(lambda: not old & set(family(self.gateway).workers), "their end")
        self.await_workers()
        with self.state() as state:
            self.gateway.poll(lambda: not state.cells.open_slots(), "the settlement of what they held")
        assert clock.mono_ns() - killed_ns < allowed(SETTLED_NS)

    def await_workers(self) -> None:
        """All of them serve, by what was published last."""

        def served() -> bool:
            with self.state() as state:
                version = state.words[Word.SNAPSHOT_VERSION]
                if not all(alive(state.owner(index)) for index in state.live_blocks()):
                    return False  # the supervisor has not yet heard of an end
                return state.sum_own(Own.SNAPSHOT_VERSION) == version * self.workers > 0

        self.gateway.poll(served, f"{self.workers} workers")
        self.gateway.poll(self.stage.listens, "a connection")  # a worker tells its version before it listens
        self.learn_book()

    def in_flight(self) -> int:
        with self.state() as state:
            return state.sum_own(Own.IN_FLIGHT)

    def write(self) -> None:
        """Edits the file as editors do, whole and in one step, and waits until every worker serves by it."""
        config = self.gateway.process.config
        with self.state() as state:
            before = state.words[Word.SNAPSHOT_VERSION]
            fresh = config.with_suffix(".new")
            fresh.write_text(self.text())
            fresh.replace(config)

            def taken() -> bool:
                version = state.words[Word.SNAPSHOT_VERSION]
                return version > before and state.sum_own(Own.SNAPSHOT_VERSION) == version * len(state.live_blocks())

            self.gateway.poll(taken, "the changed configuration")
        self.learn_book()

    def restart(self, *, hard: bool) -> None:
        process = self.gateway.process
        if hard:
            every = family(self.gateway)
            kill(every.supervisor, *every.children)
            process.stop()
        else:
            assert process.stop() == 0, process.log_end()
        process.start()
        self.await_workers()


@contextmanager
def house(folder: Path, cases: Sequence[Case], *, workers: int = 2, budgets: str = "wait_s = 0.2") -> Iterator[House]:
    """`budgets`: TOML of the table [budgets]."""
    played = Played()
    casts = {case.name: Cast.of(case, number) for number, case in enumerate(cases)}
    assert len(casts) == len(cases), "two cases have the same name"
    with UpstreamThread(played) as fake:
        gateway = GatewayUnderTest(folder, fake.base_url, workers=workers)
        head = config_text(port=gateway.process.port, upstream_url=fake.base_url, workers=workers, upstream=MODELS, more=PRICES)
        one = House(Stage(gateway, fake, played), casts, workers, budgets, head)
        gateway.process.config.write_text(one.text())
        with gateway:
            one.await_workers()
            yield one


async def connections(one: House, number: int) -> list[Wire]:
    """So many of each worker: whoever is quicker accepts a connection, and of many at once that may be the same one."""
    found: dict[str, list[Wire]] = {}
    for _ in range(CONNECTIONS_TRIED_MAX):
        wire = await Wire.open(one.stage.port)
        await wire.send("GET", "/who")
        answer = await wire.rest(await wire.head())
        mine = found.setdefault(answer.header("request-id")[15:23], [])
        if len(mine) < number:
            mine.append(wire)
        else:
            await wire.close()
        if sum(map(len, found.values())) == number * one.workers:
            return [wire for those in zip(*found.values(), strict=True) for wire in those]
    raise AssertionError(f"one worker takes all: { {name: len(wires) for name, wires in found.items()} }")


class Talk:
    """One request and its answer as far as it has come."""

    def __init__(self, wire: Wire, call: Call, name: str, unsent: bytes) -> None:
        self.wire = wire
        self.unsent = unsent
        self.call = call
        self.name = name
        self.answer: Answer | None = None
        self.left = False
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> Answer:
        self.answer = await self.wire.head()
        return await self.wire.rest(self.answer)

    @property
    def begun(self) -> bool:
        """A block of its stream has begun, or all of it is over."""
        return self.task.done() or (self.answer is not None and b"content_block_start" in self.answer.body)

    async def leave(self) -> None:
        self.left = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.wire.reset()
        await self.wire.close()


class Player:
    """Plays the steps of one case; `talks` are its calls in the order in which they began."""

    def __init__(self, house: House, case: Case) -> None:
        self.house = house
        self.cast = house.casts[case.name]
        self.case = case
        self.talks: list[Talk] = []
        self._started: dict[str, Talk] = {}

    @property
    def bounded(self) -> bool:
        """Nothing but what was admitted under its limits has been charged: they did not change on the way."""
        return not any(isinstance(step, Reload | Restart) for step in self.case.steps)

    async def play(self) -> None:
        await self._clear_of_boundaries()
        async with self:
            for step in self.case.steps:
                await self.step(step)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for talk in self.talks:
            talk.task.cancel()
            await talk.wire.close()

    async def step(self, step: object) -> None:
        match step:
            case Call():
                await (await self.begin(step)).task
            case Start(name, call):
                talk = self._started[name] = await self.begin(call, half=step.half_sent)
                await self._under_way(talk, in_gw=step.held_up or step.half_sent)
            case Leave(name):
                talk = self._started[name]
                await talk.leave()
                self.house.gateway.settled(lambda rows: len(rows) == 1, "prompt_id = ?", [talk.name])
            case Tell(name):
                TOLD.add(self._started[name].name)
            case Ends(name):
                talk = self._started[name]
                TOLD.add(talk.name)
                await talk.wire.write(talk.unsent)
                await talk.task
            case Standing():
                await self.check_standing(step)
            case Reload():
                self.rows([talk for talk in self.talks if talk.task.done()])
                self.cast.change(step)
                self.house.budgets = step.budgets or self.house.budgets
                self.house.write()
            case Restart(hard):
                self.house.restart(hard=hard)
            case Kill():
                self.house.kill_workers()
            case _:
                raise AssertionError(step)

    async def begin(self, call: Call, *, half: bool = False, wire: Wire | None = None) -> Talk:
        name = f"{self.cast.tag}:{len(self.talks)}"
        tokens = int(Decimal(str(call.usd)) * TOKENS_PER_USD)
        play = call.play or at_once

        def answer(request: Request) -> Reply:
            return play(request, tokens)

        if call.path == "/v1/messages":
            self.house.stage.played.answers[name] = answer
        wire = wire or await Wire.open(self.house.stage.port)
        body = b""
        if call.path != "/v1/models":
            asked = int(Decimal(str(call.asks)) * TOKENS_PER_USD)
            body = prompt(call.text, stream=call.stream, model=self._model(call), max_tokens=asked)
        sent = len(body) // 2 if half else len(body)
        method, framing = ("POST", f"Content-Length: {len(body)}") if body else ("GET", "")
        wire.send_head(method, call.path, self._headers(call, name), framing)
        await wire.write(body[:sent])
        talk = Talk(wire, call, name, body[sent:])
        self.talks.append(talk)
        return talk

    def _model(self, call: Call) -> str:
        return "unpriced-1" if call.model == "unpriced" else named(self.cast.tag, "model", call.model)

    def _headers(self, call: Call, name: str) -> Pairs:
        tag = self.cast.tag
        credential = OWN_CREDENTIAL if call.who == OWN else ("x-api-key", self.cast.secrets[call.who])
        headers = [credential, JSON, ("x-test-id", name), ("x-claude-code-prompt-id", name)]
        headers += [("x-claude-code-session-id", named(tag, "session", call.session))] if call.session else []
        return headers + ([("x-gw-project", named(tag, "project", call.project))] if call.project else [])

    async def _under_way(self, talk: Talk, *, in_gw: bool) -> None:
        """Its stream has begun; or, of a whole answer, the upstream has the request; or, `in_gw`, gw has it."""
        running = sum(not one.task.done() for one in self._started.values())

        def reached() -> bool:
            if in_gw:
                return self.house.in_flight() >= running
            return talk.begun or (not talk.call.stream and talk.name in self.house.stage.played.requests)

        deadline_ns = clock.mono_ns() + UNDER_WAY_NS
        while not reached():
            assert clock.mono_ns() < deadline_ns, f"{talk.name} did not begin"
            await asyncio.sleep(0.01)

    async def _clear_of_boundaries(self) -> None:
        for budget in self.house.book.budgets:
            if budget.id.startswith(f"{self.cast.tag}-"):
                now_us = clock.wall_us()
                end_us = bounds(budget.window, now_us)[1]
                if 0 < end_us - now_us < CLEAR_US:
                    await asyncio.sleep((end_us - now_us) / 1e6)

    # --- what stands where ----------------------------------------------------------------------------------------------
    def rows(self, talks: Sequence[Talk] | None = None) -> dict[str, Row]:
        """Of these calls, or of all, by their names; all of them are there."""
        names = [talk.name for talk in (self.talks if talks is None else talks)]
        marks = ", ".join("?" * len(names))
        found = self.house.gateway.settled(lambda rows: len(rows) >= len(names), f"prompt_id IN ({marks})", names)
        assert len(found) == len(names), "a call has more than one row"
        return {row["prompt_id"]: row for row in found}

    async def check_standing(self, wanted: Standing) -> None:
        """Within a moment: what was charged under other rules comes with its row."""
        due = {(name, "spent"): usd for name, usd in wanted.spent.items()}
        due |= {(name, "reserved"): usd for name, usd in wanted.reserved.items()}
        exact = {what: Decimal(str(usd)) for what, usd in due.items()}
        deadline_ns = clock.mono_ns() + UNDER_WAY_NS
        while (found := self.standing(list(due))) != exact:
            assert clock.mono_ns() < deadline_ns, (found, exact)
            await asyncio.sleep(0.05)

    def standing(self, asked: list[tuple[str, str]]) -> dict[tuple[str, str], Decimal]:
        found = {}
        with self.house.state() as state:
            for name, what in asked:
                one = standing(state.cells, *self.account(name), clock.wall_us())
                nusd = one.settled_nusd if what == "spent" else one.reserved_nusd
                found[name, what] = Decimal(nusd) / NUSD_PER_USD
        return found

    def account(self, name: str) -> tuple[Budget, str]:
        """Of "rule" or "rule:account"."""
        rule, _, account = name.partition(":")
        (budget,) = [one for one in self.house.book.budgets if one.id == f"{self.cast.tag}-{rule}"]
        return budget, named(self.cast.tag, budget.scope.kind, account) if account else budget.scope.name
