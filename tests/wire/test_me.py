"""What a caller is told of itself: exact money, whole times, and the shape that Claude Code's gateway mode reads."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gw.domain.account import Account
from gw.domain.fill import Fill
from gw.domain.limit import Limit
from gw.domain.money import nusd_from_usd
from gw.domain.scope import Scope
from gw.domain.shown import iso
from gw.domain.window import LIFETIME, parse_window
from gw.wire.budgets import success_headers
from gw.wire.me import SessionCost, me, oauth_usage
from tests.wire.test_budgets import MIDNIGHT_S, NOW_US, STANDINGS, UNIFIED, standing

ANNA = Account("0123456789ab", "anna", "platform", "acme", ("claude-*",), expires_us=NOW_US + 86_400_000_000)


def test_me_says_who_where_and_how_much_is_left():
    limits = [
        Fill(Limit("bursts", Scope("key", "anna"), "requests", 60, 60 * 10**9, 120), "anna", 118),
        Fill(
            Limit("pace", Scope("team", "platform"), "usd", 5_000_000, 86_400 * 10**9, 1_000_000), "platform", -250_000, 10**9 + 1
        ),
        Fill(Limit("few", Scope("key", "anna"), "parallel", 4), "anna", 3),
    ]
    session = SessionCost("0c1f", 7, 420_000_000_001)
    said = json.loads(me(ANNA, [standing("8.000000001", "9.5", contact="boss")], limits, session, NOW_US))
    assert said["key"] == {
        "name": "anna",
        "id": "0123456789ab",
        "team": "platform",
        "customer": "acme",
        "models": ["claude-*"],
        "upstreams": ["*"],
        "expires_at": "2026-11-23T13:30:00Z",
    }
    assert said["credential"] is None and said["as_of"] == "2026-11-22T13:30:00Z"
    assert said["budgets"] == [
        {
            "id": "b",
            "scope": "team",
            "account": "platform",
            "mode": "hard",
            "reserve": "typical",
            "state": "warning",
            "limit_usd": "10",
            "spent_usd": "8.000000001",
            "reserved_usd": "1.499999999",
            "remaining_usd": "0.5",
            "overrun_usd": "0",
            "warn_at": ["0.5", "0.8", "0.95"],
            "window": "day",
            "period": "daily",
            "time_zone": "UTC",
            "started_at": "2026-11-22T00:00:00Z",
            "resets_at": "2026-11-23T00:00:00Z",
            "resets": "Nov 23 00:00 UTC",
            "contact": "boss",
        }
    ]
    told = [
        (one["kind"], one["amount"], one["per_s"], one["burst"], one["available"], one["clears_in_s"]) for one in said["limits"]
    ]
    assert told == [
        ("requests", 60, 60, 120, 118, 0),
        ("usd", "5", 86_400, "1", "-0.25", 2),
        ("parallel", 4, None, None, 3, None),
    ]
    assert said["session"] == {"id": "0c1f", "calls": 7, "cost_usd": "0.420000000001"}


def test_a_clients_own_credential_is_named_by_its_digest():
    said = json.loads(me(Account(credential="c0ffee"), [], [], None, NOW_US))
    assert (said["key"], said["credential"], said["budgets"], said["limits"], said["session"]) == (None, "c0ffee", [], [], None)


def test_a_session_that_cannot_be_read_has_no_cost_instead_of_none():
    said = json.loads(me(ANNA, [], [], SessionCost("0c1f", None, None), NOW_US))
    assert said["session"] == {"id": "0c1f", "calls": None, "cost_usd": None}


def test_a_budget_for_good_never_resets():
    (said,) = json.loads(me(ANNA, [standing("10", window=LIFETIME)], [], None, NOW_US))["budgets"]
    assert (said["started_at"], said["resets_at"], said["resets"], said["state"]) == (None, None, "never", "spent")


def test_usage_of_native_mode_has_the_shape_its_client_reads():
    one = standing("410", limit="500", window=parse_window("day"))
    assert json.loads(oauth_usage([one])) == {
        "extra_usage": {
            "is_enabled": True,
            "monthly_limit": 50_000,
            "used_credits": 41_000,
            "utilization": 82,
            "currency": "USD",
        },
        "limits": [
            {
                "kind": "spend",
                "group": "daily",
                "percent": 82,
                "resets_at": iso(MIDNIGHT_S * 10**6),
                "severity": "warning",
                "is_active": True,
            }
        ],
    }


def test_usage_without_a_budget_shows_no_bar():
    assert json.loads(oauth_usage([])) == {"limits": []} == json.loads(oauth_usage([standing("1", mode="shadow")]))


def test_usage_has_a_row_for_each_period_and_the_fullest_is_the_active_one():
    month = parse_window("month")
    ones = [
        standing("1"),
        standing("9.6"),
        standing("90", limit="100", window=month),
        standing("100", limit="100", window=LIFETIME),
    ]
    said = json.loads(oauth_usage(ones))
    assert [(row["group"], row["percent"], row["severity"], row["is_active"]) for row in said["limits"]] == [
        ("monthly", 100, "critical", True),
        ("daily", 96, "warning", False),
    ]
    assert said["limits"][0]["resets_at"] is None and said["extra_usage"]["used_credits"] == 10_000


def test_a_limit_of_next_to_nothing_is_overspent_by_a_number_that_can_be_written():
    said = json.loads(oauth_usage([standing("1000000000", limit="0.000000001")]))
    assert said["extra_usage"]["utilization"] == 1_000_000


@given(st.lists(STANDINGS, min_size=1, max_size=6))
def test_dollars_and_headers_are_of_the_same_budget(ones):
    """The client pairs them only if the resets agree to the second."""
    headers, said = dict(success_headers(ones)), json.loads(oauth_usage(ones))
    active = [row for row in said["limits"] if row["is_active"]]
    if not headers:
        assert said == {"limits": []}
        return
    (row,) = active
    reset = headers.get(UNIFIED + b"overage-reset")
    assert row["resets_at"] == (iso(int(reset) * 10**6) if reset else None)
    assert said["extra_usage"]["utilization"] == row["percent"]


def encodable(one):
    """All names that come into gw are made so: half a character cannot be in a file, and `printable` takes it from a client's."""
    return all(text.isascii() or text.isprintable() for text in (one.account, one.budget.contact))


@given(st.lists(STANDINGS.filter(encodable), max_size=4), st.text(max_size=40).filter(str.isprintable))
def test_money_is_exact_whatever_it_is(ones, session):
    said = json.loads(me(ANNA, ones, [], SessionCost(session, 1, 1), NOW_US))
    for one, told in zip(ones, said["budgets"], strict=True):
        assert nusd_from_usd(told["spent_usd"]) == one.settled_nusd
        assert nusd_from_usd(told["remaining_usd"]) == one.remaining_nusd
        assert nusd_from_usd(told["reserved_usd"]) == one.reserved_nusd
