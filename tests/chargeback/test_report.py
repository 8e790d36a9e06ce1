"""Chargeback: sums that are the ledger's, amounts in cents that add up, names that do no harm."""

import csv
import io
import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.chargeback.figures import CLASSES
from gw.chargeback.month import DAY_US, Month, month_of, parse_month
from gw.chargeback.page import page, policy_of
from gw.chargeback.report import BY, PUSD_PER_CENT, Group, Report, apportioned, parse_by, report, walk
from gw.chargeback.table import csv_bytes, json_bytes
from gw.domain.money import round_half_even
from gw.ledger import adjust as adjusting
from gw.ledger import rollup
from gw.ledger.adjust import AMOUNTS, Adjustment
from gw.ledger.store import COLUMNS, Database
from tests.export.ground import adjust, call, fill, ledger, usd
from tests.ledger.records import NOON_US

NOVEMBER = Month(2026, 11)
AFTER_US = NOVEMBER.end_us + 3 * DAY_US
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "'quoted",
    "a\u202egnp.exe",
    "&amp; </style></title>",
    'comma, "quote"\r\nline',
]


def made(database: Database, by: tuple[str, ...] = ("customer", "team", "key"), month: Month = NOVEMBER) -> Report:
    return report(database, month, by, AFTER_US)


def reprice(database: Database, call_id: str, billed: int) -> None:
    """As gw reprice does: an adjustment, and the rollups with it."""
    with database.changing() as db:
        row = db.execute(f"SELECT {', '.join(COLUMNS)} FROM call WHERE call_id = ?", (call_id,)).fetchone()
    named = dict(zip(COLUMNS, row, strict=True))
    whose = ("customer", "team", "key_name", "key_id", "upstream", "requested_model", "project", "session_id")
    adjust(database, call_id, named["ended_us"], billed, at_us=AFTER_US, **{name: named[name] for name in whose})
    with database.changing() as db:
        (one,) = adjusting.adjustments_of(db, call_id)
        amounts = [getattr(one, name) for name in AMOUNTS]
        rollup.adjust(db, [(tuple(row), amounts)])
    assert isinstance(one, Adjustment)


def test_every_grouping_adds_up_to_the_ledger(database: Database) -> None:
    fill(database, [call(number, billed_pusd=call(number).billed_pusd * 9 // 10) for number in range(300)])
    reprice(database, "call-000007", -123_456_789_012)
    billed = sum(row["billed_pusd"] for row in ledger(database)) - 123_456_789_012
    for length in (1, 2, 4):
        for by in permutations(BY, length):
            one = made(database, by).whole
            assert one.sums.pusd("billed") == billed and one.sums.adjusted == -123_456_789_012
            assert one.sums.count("calls") == 300
            adds_up(one)


def adds_up(group: Group) -> None:
    """Each group is the sum of its parts: exactly, and in the cents that are shown."""
    assert group.cents.billed == group.cents.charges + group.cents.adjusted
    assert abs(group.cents.billed * PUSD_PER_CENT - group.sums.pusd("billed")) < PUSD_PER_CENT
    if group.parts:
        assert sum((part.sums for part in group.parts[1:]), group.parts[0].sums) == group.sums
        for name in ("list", "charges", "adjusted", "billed"):
            assert sum(getattr(part.cents, name) for part in group.parts) == getattr(group.cents, name), name
        for part in group.parts:
            adds_up(part)


@given(amounts=st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20))
def test_cents_add_up_and_none_is_a_cent_off(amounts: list[int]) -> None:
    cents = round_half_even(sum(amounts), PUSD_PER_CENT)
    shares = apportioned(amounts, cents)
    assert sum(shares) == cents
    assert all(abs(share * PUSD_PER_CENT - amount) < PUSD_PER_CENT for share, amount in zip(shares, amounts, strict=True))


def test_only_the_month_counts_and_the_one_before_is_beside_it(database: Database) -> None:
    last = NOVEMBER.end_us - 1
    before = [call(number, ended_us=NOVEMBER.start_us - 1 - number) for number in range(4)]
    fill(database, [*before, call(10, ended_us=NOVEMBER.start_us), call(11, ended_us=last), call(12, ended_us=last + 1)])
    whole = made(database).whole
    assert whole.sums.count("calls") == 2
    assert whole.before.pusd("billed") == sum(one.billed_pusd for one in before)
    december = report(database, NOVEMBER.after, ("team",), NOVEMBER.after.end_us)
    assert december.whole.before == whole.sums and december.whole.sums.count("calls") == 1


def test_a_month_that_runs_is_compared_with_as_many_days(database: Database) -> None:
    october = NOVEMBER.before.start_us
    fill(database, [call(1, ended_us=october + 2 * DAY_US), call(2, ended_us=october + 20 * DAY_US), call(3, ended_us=NOON_US)])
    one = report(database, NOVEMBER, ("team",), NOON_US + 3 * DAY_US)
    assert one.running and one.whole.before.count("calls") == 1 and len(one.figures.days) == 4
    assert "The month is not over" in page(one).decode()


def test_an_empty_ledger_makes_a_report_of_nothing(database: Database) -> None:
    for form in (page, csv_bytes, json_bytes):
        assert form(made(database))


def test_csv_has_a_line_for_each_group_with_exact_amounts(database: Database) -> None:
    fill(database, [call(number) for number in range(60)])
    one = made(database, ("team", "key"))
    lines = list(csv.DictReader(io.StringIO(csv_bytes(one).decode(), newline="")))
    assert len(lines) == len(walk(one.whole)) + 1 and lines[-1]["level"] == "total"
    innermost = [line for line in lines if line["level"] == "key"]
    for name in ("billed_usd", "amount_usd", "list_usd", "input_usd"):
        assert sum(Decimal(line[name]) for line in innermost) == Decimal(lines[-1][name])
    assert Decimal(lines[-1]["billed_usd"]) == usd(sum(row["billed_pusd"] for row in ledger(database)))
    parts = [Decimal(lines[-1][f"{name}_usd"]) for name in CLASSES]
    assert sum(parts) == Decimal(lines[-1]["billed_usd"])


class Seen(HTMLParser):
    """Elements and text as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_names_are_text_and_nothing_else(database: Database) -> None:
    fill(
        database,
        [
            call(number, customer=name, team=name, project=name, key_name=name, served_model=name, price_version="unpriced")
            for number, name in enumerate(HOSTILE)
        ],
    )
    one = made(database, BY)
    html = page(one).decode()
    seen = Seen()
    seen.feed(html)
    assert not seen.tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not {name for name in seen.attributes if name.startswith("on") or name in ("src", "style")}
    assert "<script>alert(1)</script>" in seen.text and "\u202e" not in html
    assert all(href.startswith("#") for href in re.findall(r'href="([^"]*)"', html))
    assert "sha256-" in policy_of(one)
    for line in csv.DictReader(io.StringIO(csv_bytes(one).decode(), newline="")):
        for name in ("customer", "team", "project", "key"):
            assert not line[name].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
            assert line[name].removeprefix("'") in (*HOSTILE, "quoted", "")
    json.loads(json_bytes(one))


def test_doubts_are_told(database: Database) -> None:
    fill(database, [call(1, usage_source="estimated"), call(2, price_version="unpriced", served_model="mystery"), call(3)])
    reprice(database, "call-000003", 5 * 10**12)
    text = re.sub(r"<[^>]+>", "", page(made(database)).decode())
    assert "1 call cost 0 here for want of a price: mystery" in text
    assert "1 by an estimate" in text and "$5.00 in all, $5.00 of it after the month was over" in text


def test_calls_without_a_key_stand_under_their_credential(database: Database) -> None:
    own = {"key_id": "", "key_name": "", "team": "", "customer": ""}
    fill(database, [call(number, credential=f"c{number % 2}", **own) for number in range(4)])
    whole = made(database, ("customer", "key")).whole
    assert [part.label for part in whole.parts] == ["(no customer)"]
    assert {part.label for part in whole.parts[0].parts} == {"own credential c0", "own credential c1"}


def test_months() -> None:
    assert parse_month("2026-12").after == Month(2027, 1) and Month(2027, 1).before == Month(2026, 12)
    assert month_of(NOVEMBER.end_us - 1) == NOVEMBER and month_of(NOVEMBER.end_us) == Month(2026, 12)
    for text in ("2026-13", "2026-1", "November", "1999-01", ""):
        with pytest.raises(ValueError, match="month"):
            parse_month(text)
    for text in ("team,team", "model", ""):
        with pytest.raises(ValueError, match=r"names|not one"):
            parse_by(text)


def test_the_page_is_printed_with_page_numbers(database: Database) -> None:
    fill(database, [call(number) for number in range(10)])
    html = page(made(database)).decode()
    assert "@page" in html and "counter(page)" in html and "prefers-color-scheme: dark" in html
    found: list[Any] = re.findall(r"https?://", html)
    assert not found, "self-contained"
