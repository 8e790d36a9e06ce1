"""Calls of many kinds for tests of the log, and what a filter finds among them when each is looked at."""

import random
from typing import Any

from msgspec.structs import astuple

from gw.domain.call import CallRecord
from gw.ledger.log_columns import BY_NAME
from gw.ledger.log_filter import LogFilter
from gw.ledger.log_match import matcher
from gw.ledger.store import Batch, Database
from tests.ledger.records import NOON_US, record

TEAMS = ["", "a", "A", "ab", "a,b", "a*b", "a[b]", "ß", "team.x"]
MODELS = ["claude-opus-5-5", "claude-haiku-4-5", "claude-opus-4-1[1m]", ""]
FLAGS = ["", "ttl_assumed", "unpriced", "ttl_assumed,garbled"]
TWICE = '[["first",0,"reset",1],["first",500,"upstream_api_error",20]]'
OUTCOMES = [("completed", 200, ""), ("refused", 429, "budget_exceeded"), ("upstream_error", 529, "upstream_overloaded_error")]
OUTCOMES += [("client_gone", 0, ""), ("completed", 200, "")]


def calls(count: int, seed: int = 7) -> list[CallRecord]:
    """In the order in which they end, nearly."""
    pick = random.Random(seed)
    found = []
    for number in range(count):
        outcome, status, error = pick.choice(OUTCOMES)
        started = NOON_US + number * 1_000_000 + pick.randrange(3_000_000)
        found.append(
            record(
                f"gw_{number:06x}",
                started_us=started,
                ended_us=started + pick.choice([0, 999, 1_000, 1_500_000, 40_000_000]),
                first_token_us=pick.choice([0, started + 700_000]),
                outcome=outcome,
                status=status,
                error=error,
                key_name=pick.choice(["", "ci", "anna", "CI-2"]),
                key_id=pick.choice(["", "id1", "ci"]),
                team=pick.choice(TEAMS),
                customer=pick.choice(["", "acme"]),
                project=pick.choice(["", "site", "Back-Office"]),
                tags=pick.choice(["", "x", "x, y", "env=prod,x"]),
                session_id=pick.choice(["", "5e55-1", "5e55-2", "5e56"]),
                requested_model=pick.choice(MODELS[:3]),
                served_model=pick.choice(MODELS),
                stream=pick.random() < 0.5,
                usage_flags=pick.choice(FLAGS),
                usage_source=pick.choice(["exact", "observed", "estimated", "none"]),
                price_version=pick.choice(["unpriced", "v#x"]),
                input_tokens=pick.choice([0, 1, 1200]),
                cache_read_tokens=pick.choice([0, 50_000]),
                billed_pusd=pick.choice([0, 1, 5 * 10**11, 5 * 10**11, 2 * 10**12]),
                at_most_nusd=pick.choice([0, 7]),
                upstream_request_id=pick.choice(["", f"req_{number}"]),
                charged_us=pick.choice([0, started]),
                dialect=pick.choice(["", "", "chat", "gemini"]),
                sent_model=pick.choice(["", "groq/llama-3.3-70b"]),
                route=pick.choice(["", "route:claude-*", "rule:night tier:haiku"]),
                attempts=pick.choice(["", "", '[["first",529,"upstream_overloaded_error",312]]', TWICE]),
                attempt_of=pick.choice(["", "", "gw_000001"]),
            )
        )
    return found


async def fill(database: Database, records: list[CallRecord]) -> None:
    store = database.store()
    await store.open()
    await store.commit(Batch(rows=[astuple(one) for one in records]))
    await store.close()


def expected(records: list[CallRecord], wanted: LogFilter, sort: str = "ended_at", *, falling: bool = True) -> list[str]:
    """Ids in their order; `seq` counts from 1."""
    test, key = matcher(wanted), BY_NAME[sort].value
    numbered: list[tuple[Any, int, str]] = [
        (key(astuple(one)), seq, one.call_id) for seq, one in enumerate(records, 1) if test(astuple(one))
    ]
    return [call_id for _, _, call_id in sorted(numbered, reverse=falling)]
