"""Who calls in the rounds of the race, and which budgets they share.

One gateway serves all rounds: each has accounts of its own, whose budgets nobody has touched. In a round of one level all
calls share one account of that level and nothing else; in a crossing round they share several of several levels and windows,
now one and now another of which is the tightest.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gw.clock import wall_us
from gw.domain.budget import Reserve
from gw.domain.key import mint
from gw.domain.scope import KINDS, ScopeKind
from tests.faults import till
from tests.faults.crowd import Order
from tests.faults.purse import Pot
from tests.faults.till import Bill
from tests.support.gateway import Row

MODEL = "claude-sonnet-5-5"
MARK = "x-claude-code-prompt-id"  # the header that carries a call's mark upstream
MAX_TOKENS = 400
ONE = "1"


def pots(reserve: Reserve) -> list[Pot]:
    """A dollar for each account of a level; and for crossing rounds what they share. No window ends while the test runs."""
    anchor = (datetime.fromtimestamp(wall_us() / 1e6, UTC) - timedelta(hours=3)).strftime("%Y-%m-%dT%H:00")
    alone = [Pot(f"one {level}", level, "one-*", ONE, reserve) for level in KINDS]
    crossing = [
        Pot("customer a day", "customer", "many-*", "1", reserve, "1d", anchor),
        Pot("customer a year", "customer", "many-*", "1.05", reserve, "1Y", anchor),
        Pot("team a month", "team", "many-*", "0.55", reserve, "1M", anchor),
        Pot("key a week", "key", "many-*", "0.30", reserve, "1w", anchor),
        Pot("key for good", "key", "many-*", "0.28", reserve),
        Pot("session for good", "session", "many-*", "0.11", reserve),
        Pot("project a day", "project", "many-*", "0.70", reserve, "1d", anchor),
    ]
    return [*alone, *crossing]


@dataclass
class Caller:
    """One virtual key and what its calls say of themselves."""

    key: str
    team: str
    customer: str
    upstream: str
    secret: str = field(default_factory=lambda: mint().text, repr=False)


@dataclass
class Round:
    """`level` "" is a crossing round."""

    number: int
    level: ScopeKind | str
    callers: list[Caller]
    model: str
    names: dict[str, list[str]]  # of projects and sessions, one of which each call has
    whose: dict[str, Row] = field(default_factory=dict)  # mark of a call -> the accounts that it is charged to, as in its row

    def orders(self, count: int, dice: random.Random) -> list[Order]:
        return [self._order(at, dice) for at in range(count)]

    def _order(self, at: int, dice: random.Random) -> Order:
        """Most answer quickly; prompts and outputs are anything up to what the request allows, now and then all of it."""
        bill, text, ttl, stream, max_tokens = some_bill(dice)
        caller = dice.choice(self.callers)
        session, project, mark = dice.choice(self.names["session"]), dice.choice(self.names["project"]), f"{self.number}/{at}"
        self.whose[mark] = {
            "customer": caller.customer,
            "team": caller.team,
            "key_name": caller.key,
            "upstream": caller.upstream,
            "requested_model": self.model,
            "project": project,
            "session_id": session,
        }
        headers = {
            "x-gw-key": caller.secret,
            "content-type": "application/json",
            "user-agent": "claude-cli/2.1.329 (external, cli)",
            MARK: mark,
            "x-claude-code-session-id": session,
            "x-gw-project": project,
        }
        body = till.body(bill, model=self.model, max_tokens=max_tokens, stream=stream, text=text, ttl=ttl)
        leave_s = dice.uniform(0.001, 0.4) if dice.random() < 0.1 else 0.0
        return Order(body, "".join(f"{name}: {value}\r\n" for name, value in headers.items()), leave_s, dice.randint(1, 2))


def some_bill(dice: random.Random) -> tuple[Bill, str, str, bool, int]:
    """(bill, text of the prompt, TTL, streamed, max_tokens). Tokens of the prompt are at most the bytes of its text."""
    text = "x" * dice.choice((20, 60, 200, 800))
    tokens = len(text) if dice.random() < 0.2 else dice.randint(1, len(text))
    ttl = dice.choice(("", "", "5m", "1h"))
    written = dice.randint(0, tokens) if ttl else 0
    read = dice.randint(0, tokens - written) if ttl else 0
    max_tokens = dice.choice((50, MAX_TOKENS, MAX_TOKENS))
    output = max_tokens if dice.random() < 0.2 else dice.randint(1, max_tokens)
    stream = dice.random() < 0.5
    bill = Bill(
        input=tokens - written - read,
        output=output,
        read=read,
        write_5m=written if ttl == "5m" else 0,
        write_1h=written if ttl == "1h" else 0,
        deltas=dice.randint(1, 4) if stream else 1,
        first_ms=dice.choice((0, 0, 1, 30)),
        pace_ms=dice.choice((0, 0, 1, 10)),
    )
    return bill, text, ttl, stream, max_tokens


def rounds(count: int) -> list[Round]:
    """One level after the other, and as many crossing ones as of any level."""
    kinds = [*KINDS, ""]
    return [_round(number, kinds[number % len(kinds)]) for number in range(count)]


def _round(number: int, level: str) -> Round:
    def name(kind: str) -> str:
        return f"{'one' if kind == level else 'any'}-{kind}-{number}"

    if level:
        caller = Caller(name("key"), name("team"), name("customer"), name("upstream"))
        model = name("model") if level == "model" else MODEL
        return Round(number, level, [caller], model, {"project": [name("project")], "session": [name("session")]})
    callers = [
        Caller(f"many-{number}-{team}{key}", f"many-{number}-{team}", f"many-{number}", "any-upstream")
        for team in "ab"
        for key in "xyz"
    ]
    names = {kind: [f"many-{kind}-{number}-{at}" for at in range(size)] for kind, size in (("project", 2), ("session", 24))}
    return Round(number, "", callers, MODEL, names)


def config(played: list[Round], shared: list[Pot], upstream_url: str, wait_s: str) -> str:
    """The tables of a configuration, to follow [server], [storage] and an [[upstream]]."""
    callers = [caller for one in played for caller in one.callers]
    parts = [f"[budgets]\nwait_s = {wait_s}\n", *(pot.toml for pot in shared)]
    parts += [f'[[customer]]\nname = "{name}"\n' for name in dict.fromkeys(caller.customer for caller in callers)]
    teams = {caller.team: caller.customer for caller in callers}
    parts += [f'[[team]]\nname = "{team}"\ncustomer = "{customer}"\n' for team, customer in teams.items()]
    for name in dict.fromkeys(caller.upstream for caller in callers):
        parts.append(f'[[upstream]]\nname = "{name}"\nbase_url = "{upstream_url}"\napi_key = "env:GW_TEST_UPSTREAM_KEY"\n')
    for caller in callers:
        only = f'team = "{caller.team}"\nupstreams = ["{caller.upstream}"]'
        parts.append(f'[[key]]\nname = "{caller.key}"\nsecret = "{caller.secret}"\n{only}\n')
    rates = 'input = "2"\noutput = "10"\ncache_read = "0.1"\ncache_write_5m = "2.5"\ncache_write_1h = "4"\n'
    parts.append(f'[[pricing.override]]\nname = "as {MODEL}"\nmodel = "one-model-*"\n{rates}')
    return "\n".join(parts)
