"""Rules are edited under 500 requests a second: no call fails for it, a new limit is in force in every worker within a second,
and files that cannot be used change nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gw.clock import mono_ns
from gw.ops.state import Word
from tests.flow.budget_judge import judge_cells
from tests.flow.budget_play import House, Player, connections, house
from tests.flow.budget_steps import budget, case, limit, paid, whole
from tests.flow.client import Wire, call
from tests.flow.stage import JSON, prompt
from tests.support.claims import allowed

PER_S = 500
PACE_S = 1 / (PER_S * 1.1)
CONNECTIONS = 16
WITHIN_S = 1.0
PROBE_EVERY_S = 0.01
STEADY_S = 0.5

CASE = case(
    "load",
    (
        budget("customer", 10_000, "month"),
        budget("team", 5_000, reserve="worst"),
        limit("team", requests=10_000_000),
        limit("key", parallel=1_000, name="parallel"),
        budget("key", 5, on="x", name="x"),
    ),
    paid(0.001, who="a"),  # never played: it names the keys
    paid(1, who="x"),
)


def more(toml: str) -> Callable[[str], str]:
    return lambda text: f"{text}\n{toml}\n"


def instead(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


ONE = '[[budget]]\nname = "one"\n'
BROKEN: list[tuple[str, Callable[[str], str], str]] = [
    # what is wrong with the file, how it comes about, what the log must say
    ("no TOML", more("[[budget]"), "TOML"),
    ("cut in its middle", lambda text: text[: text.index("limit_usd") + 12], "TOML"),
    ("an unknown key", more(f'{ONE}key = "n0-x"\nlimit_usd = "1"\nlimt = 5'), "limt"),
    ("an unknown table", more('[[budgte]]\nname = "one"'), "budgte"),
    ("a float of money", more(f'{ONE}key = "n0-x"\nlimit_usd = 1.5'), "quotes"),
    ("less than nothing", more(f'{ONE}key = "n0-x"\nlimit_usd = "-1"'), "0 to 1000000000"),
    ("a budget about nobody", more(f'{ONE}limit_usd = "1"'), "is about nobody"),
    ("a budget about two", more(f'{ONE}key = "n0-x"\nteam = "n0-core"\nlimit_usd = "1"'), "keep one"),
    ("a team that is none", more(f'{ONE}team = "n0-cor"\nlimit_usd = "1"'), 'there is no team "n0-cor"'),
    ("two of one name", more('[[budget]]\nname = "n0-x"\nkey = "n0-x"\nlimit_usd = "1"'), "n0-x"),
    ("a window that is none", instead('window = "month"', 'window = "fortnight"'), "fortnight"),
    ("a zone that is none", instead('window = "month"', 'time_zone = "Europe/Berlni"'), "Europe/Berlni"),
    ("a limit of nothing", more('[[limit]]\nname = "one"\nkey = "n0-x"'), "limits nothing"),
    (
        "more patterns than fit",
        more("".join(f'{ONE[:-2]}{at}"\nsession = "*"\nlimit_usd = "1"\n' for at in range(30))),
        "more than 24",
    ),
]


@dataclass
class Load:
    """Calls of the key "a" that go on at their pace, whatever comes back."""

    house: House
    statuses: list[tuple[int, str, bool]] = field(default_factory=list)
    began_ns: int = 0
    ended_ns: int = 0

    async def run(self, over: asyncio.Event) -> None:
        wires = await connections(self.house, CONNECTIONS // self.house.workers)
        self.began_ns = mono_ns()
        await asyncio.gather(*(self._connection(number, wire, over) for number, wire in enumerate(wires)))
        self.ended_ns = mono_ns()

    async def _connection(self, number: int, wire: Wire, over: asyncio.Event) -> None:
        """Every so-many-th call of the whole, each at its own time; one that is late is made at once."""
        secret = self.house.casts[CASE.name].secrets["a"]
        headers = [("x-api-key", secret), JSON, ("x-test-id", "load"), ("x-claude-code-session-id", f"load-{number}")]
        bodies = [prompt(stream=at % 4 == 0, model="gw-n0", max_tokens=10) for at in range(4)]
        async with wire:
            turn = 0
            while not over.is_set():
                due_ns = self.began_ns + int((turn * CONNECTIONS + number) * PACE_S * 1e9)
                await asyncio.sleep(max(due_ns - mono_ns(), 0) / 1e9)
                await wire.send("POST", "/v1/messages", headers, bodies[turn % 4])
                answer = await wire.rest(await wire.head())
                self.statuses.append((answer.status, answer.header("x-gw-error"), answer.clean))
                turn += 1

    @property
    def per_s(self) -> float:
        return len(self.statuses) / ((self.ended_ns - self.began_ns) / 1e9)


@dataclass(frozen=True)
class Probe:
    """A call of the key "x": when it was sent, which worker answered, and with which slug."""

    sent_ns: int
    worker: str
    slug: str


async def probe(one: House) -> Probe:
    headers = [("x-api-key", one.casts[CASE.name].secrets["x"]), JSON, ("x-test-id", "probe")]
    sent_ns = mono_ns()
    answer = await call(one.stage.port, headers=headers, body=prompt(stream=False, model="gw-n0", max_tokens=10))
    return Probe(sent_ns, answer.header("request-id")[15:23], answer.header("x-gw-error"))


def replace_file(one: House, text: str) -> int:
    config = one.gateway.process.config
    fresh = config.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(config)
    return mono_ns()


async def log_says(one: House, words: str, start: int) -> None:
    async with asyncio.timeout(10):
        while words not in one.gateway.process.log.read_text()[start:]:
            await asyncio.sleep(0.02)


async def broken_files_change_nothing(one: House, good: str) -> None:
    log = one.gateway.process.log
    with one.state() as state:
        before = state.words[Word.SNAPSHOT_VERSION]
        for name, broken, words in BROKEN:
            start = len(log.read_text())
            assert broken(good) != good, name
            replace_file(one, broken(good))
            await log_says(one, words, start)
            assert "is not taken, the one in force stays" in log.read_text()[start:], name
            assert (await probe(one)).slug == "", name
        start = len(log.read_text())
        one.gateway.process.config.unlink()
        await log_says(one, "is not taken", start)
        replace_file(one, good)
        await asyncio.sleep(0.5)
        assert state.words[Word.SNAPSHOT_VERSION] == before
        assert (await probe(one)).slug == ""


async def in_force(one: House, text: str, slug: str) -> float:
    """Probes while the file changes, and on until each worker has held to the new rules, and to them alone, for a while; the
    latest call that was still held to the old ones, in seconds from the edit on."""
    edited_ns = last_ns = replace_file(one, text)
    tasks = []
    new: set[str] = set()
    while mono_ns() - last_ns < STEADY_S * 1e9 or len(new) < one.workers:
        tasks.append(asyncio.ensure_future(probe(one)))
        await asyncio.sleep(PROBE_EVERY_S)
        seen = [task.result() for task in tasks if task.done()]
        last_ns = max((found.sent_ns for found in seen if found.slug != slug), default=edited_ns)
        new = {found.worker for found in seen if found.sent_ns > last_ns}
        assert last_ns - edited_ns < allowed(WITHIN_S) * 1e9
    seen = list(await asyncio.gather(*tasks))
    assert {found.slug for found in seen} <= {"", "budget_exceeded"}
    return max(((found.sent_ns - edited_ns) / 1e9 for found in seen if found.slug != slug), default=0.0)


def test_rules_are_edited_under_500_requests_per_second(tmp_path: Path) -> None:
    with house(tmp_path, [CASE]) as one:
        for name in ("load", "probe"):
            one.stage.played.answers[name] = lambda request: whole(request, 1)
        good = one.text()
        lowered = good.replace('limit_usd = "5"', 'limit_usd = "0.000001"')
        assert lowered != good
        load, delays = Load(one), []

        async def everything() -> None:
            over = asyncio.Event()
            going = asyncio.ensure_future(load.run(over))
            assert (await probe(one)).slug == ""
            await broken_files_change_nothing(one, good)
            for text, slug in ((lowered, "budget_exceeded"), (good, ""), (lowered, "budget_exceeded")):
                delays.append(await in_force(one, text, slug))
                one.learn_book()
            over.set()
            await going

        asyncio.run(everything())
        print(f"{len(load.statuses)} calls at {load.per_s:.0f}/s; in force after {', '.join(f'{one:.2f}' for one in delays)} s")
        assert set(load.statuses) == {(200, "", True)}
        assert load.per_s * allowed(1) >= PER_S
        assert max(delays) < allowed(WITHIN_S)
        rows = one.gateway.settled(lambda rows: len(rows) >= len(load.statuses), "session_id LIKE 'load-%'")
        assert len({row["worker"] for row in rows}) == 2
        judge_cells(Player(one, CASE), one.gateway.rows(), bounded=False)
