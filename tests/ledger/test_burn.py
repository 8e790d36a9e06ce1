"""How spending grows towards budgets: on both databases the same as row by row."""

from itertools import accumulate

import pytest
from msgspec.structs import replace

from gw.domain.call import CallRecord
from gw.domain.scope import CallPath, Scope
from gw.ledger.burn import BY_DAYS_FROM_US, STEPS_MAX, burned, limits_of
from gw.ledger.rollup_shape import DAY_US, HOUR_US
from gw.ledger.store import Database
from tests.ledger.log_rows import calls, fill
from tests.ledger.records import NOON_US

SCOPES = [
    Scope("team", "a"),
    Scope("team", "*", each=True),
    Scope("customer", "acme"),
    Scope("key", "anna"),
    Scope("key", "*", each=True),
    Scope("key", "id1"),
    Scope("model", "claude-opus-*", each=True),
    Scope("model", "Claude-Haiku-4-5"),
    Scope("project", "s?te", key="ci"),
    Scope("upstream", "anthropic"),
]


def spread(records: list[CallRecord], every_us: int) -> list[CallRecord]:
    """So far apart, each ending within its hour."""
    found = []
    for number, one in enumerate(records):
        at_us = NOON_US + number * every_us
        found.append(replace(one, started_us=at_us, ended_us=at_us + 1, charged_us=0, first_token_us=0))
    return found


def by_rows(records: list[CallRecord], scope: Scope, limits: list[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in records:
        path = CallPath(
            one.customer, one.team, one.key_name, one.key_id, one.upstream, one.requested_model, one.project, one.session_id
        )
        account = scope.account(path)
        step = next((at for at, end_us in enumerate(limits[1:]) if limits[at] <= one.ended_us < end_us), None)
        if account and step is not None:
            found.setdefault(account, [0] * (len(limits) - 1))[step] += one.billed_pusd
    return {account: list(accumulate(amounts)) for account, amounts in found.items()}


@pytest.mark.parametrize("every_us", [HOUR_US // 7, HOUR_US])
async def test_the_way_of_every_account_is_that_of_its_rows(database: Database, every_us: int) -> None:
    records = spread(calls(150), every_us)
    await fill(database, records)
    start_us = NOON_US + 2 * HOUR_US + 1
    limits = limits_of(SCOPES[0], start_us, NOON_US + 150 * every_us - HOUR_US // 2)
    found = {scope: burned(database, database.dialect, scope, limits) for scope in SCOPES}
    right = {scope: by_rows(records, scope, limits) for scope in SCOPES}
    drawn = {scope: {account: line for account, line in lines.items() if line[-1]} for scope, lines in found.items()}
    assert drawn == {scope: {account: line for account, line in lines.items() if line[-1]} for scope, lines in right.items()}
    assert sum(map(bool, right.values())) >= len(SCOPES) - 1


@pytest.mark.parametrize("length_us", [1, HOUR_US, 30 * HOUR_US, BY_DAYS_FROM_US, BY_DAYS_FROM_US + HOUR_US, 31 * DAY_US])
def test_steps_are_whole_hours_or_days_and_few(length_us: int) -> None:
    start_us = NOON_US + 17
    limits = limits_of(SCOPES[0], start_us, start_us + length_us)
    assert limits[0] >= start_us and limits[-1] <= max(start_us + length_us, limits[0])
    assert limits == sorted(set(limits)) and len(limits) <= STEPS_MAX + 2
    assert all(at_us % HOUR_US == 0 for at_us in limits)
    if length_us > BY_DAYS_FROM_US + HOUR_US:
        assert all(at_us % DAY_US == 0 for at_us in limits[1:-1])


def test_what_never_ends_or_is_of_sessions_has_no_line(database: Database) -> None:
    assert limits_of(SCOPES[0], 0, NOON_US) == limits_of(Scope("session", "*"), NOON_US, NOON_US + DAY_US) == []
    limits = limits_of(SCOPES[0], NOON_US, NOON_US + DAY_US)
    assert burned(database, database.dialect, Scope("team", "*"), limits) == {}
    assert burned(database, database.dialect, Scope("team", "*"), []) == {}
