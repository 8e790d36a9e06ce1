"""Sessions from the rollups, and the calls of one."""

from msgspec.structs import replace

from gw.domain.session import SessionCall
from gw.ledger.log_filter import LogScope, parse
from gw.ledger.logs import Spot
from gw.ledger.sessions import SESSION_PARAMETERS, SESSION_SORTS, AskedSessions, session, session_page
from gw.ledger.store import Database
from tests.ledger.log_rows import fill
from tests.ledger.records import NOON_US, record

USD = 10**12
CALLS = [
    record(
        f"c{number}",
        started_us=NOON_US + number * 1_000_000,
        ended_us=NOON_US + number * 1_000_000 + 500_000,
        session_id=f"s{number % 7}",
        key_name="ci" if number % 7 < 5 else "anna",
        key_id="id1" if number % 7 < 5 else "id2",
        team="red" if number % 7 < 3 else "blue",
        billed_pusd=(number % 7) * USD,
        output_tokens=number % 7,
        endpoint="count_tokens" if number % 5 == 4 else "messages",
    )
    for number in range(70)
]


def ids(database: Database, asked: AskedSessions) -> list[str]:
    found: list[str] = []
    after: Spot | None = None
    while True:
        one = session_page(database, replace(asked, limit=3, after=after))
        found += [row.session_id for row in one.rows]
        after = one.next
        if after is None:
            return found


async def test_sessions_are_listed_in_every_order(database: Database) -> None:
    assert session_page(database, AskedSessions()).count == 0, "no ledger yet"
    await fill(database, CALLS)
    names = [f"s{number}" for number in range(7)]
    for sort in SESSION_SORTS:
        rising = ids(database, AskedSessions(sort=sort, falling=False))
        assert sorted(rising) == names
        assert ids(database, AskedSessions(sort=sort)) == rising[::-1]
    assert ids(database, AskedSessions(sort="billed_usd")) == names[::-1]
    page = session_page(database, AskedSessions(limit=2))
    assert (page.count, page.rows[0].billed_pusd, page.rows[0].calls) == (7, 60 * USD, 8)


async def test_sessions_are_filtered(database: Database) -> None:
    await fill(database, CALLS)
    cases = {
        "team=red": 3,
        "key=anna": 2,
        "key=id1": 5,
        "session=s1*": 1,
        "billed_usd.gte=50": 2,
        "q=BLU": 4,
        "q=s6": 1,
        "failed.gt=0": 0,
        "since=2026-11-01T12:01:07Z": 3,
    }
    for text, count in cases.items():
        name, _, value = text.partition("=")
        wanted = parse({name: value}, NOON_US, SESSION_PARAMETERS)
        assert len(session_page(database, AskedSessions(wanted=wanted)).rows) == count, text
    assert len(session_page(database, AskedSessions(scope=LogScope("key", "anna", "id2"))).rows) == 2
    assert session_page(database, AskedSessions(scope=LogScope("key"))).rows == []


async def test_one_session_has_its_sums_and_its_calls(database: Database) -> None:
    assert session(database, "s3") == ([], [])
    await fill(database, CALLS)
    (row,), calls = session(database, "s3")
    assert (row.session_id, row.billed_pusd, row.calls, row.requests) == ("s3", 30 * USD, 8, 10)
    own = [one for one in CALLS if one.session_id == "s3" and one.endpoint == "messages"]
    assert [call.call_id for call in calls] == [one.call_id for one in own]
    assert isinstance(calls[0], SessionCall) and calls[0].model == "claude-sonnet-4-5-20250929"
    assert session(database, "s3", LogScope("key", "anna", "id2")) == ([], [])
    assert session(database, "s") == ([], [])
