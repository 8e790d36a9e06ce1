"""The gateway's books after a run: its ledger, its budgets, and what it says of its own work, beside the upstream's invoice."""

import json
import re
import sqlite3
import time
import urllib.error
import urllib.request
from decimal import Decimal

from bench.load.contender import HOST, Contender, ContenderFailed
from bench.load.contenders import GatewayContender
from bench.load.results import Ledger
from bench.load.upstreams import COLUMNS, Charged

DRAIN_S = 60.0
POLL_S = 0.25
NUSD = 10**9
PART = re.compile(r"gw_overhead_seconds_bucket\{([^}]*)\} (\S+)")
PART_SUM = re.compile(r"gw_overhead_part_seconds_total\{([^}]*)\} (\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def compare(gateway: GatewayContender, scenario: str, run: str, invoice: Charged) -> Ledger:
    """The rows of the sessions whose ids begin with `run`, once the keeper has moved as many as were charged (or has
    had its time), against the invoice."""
    give_up = time.monotonic() + DRAIN_S
    while (rows := charged_in(gateway, run)).calls < invoice.calls and time.monotonic() < give_up:
        time.sleep(POLL_S)
    passed = overshoots(gateway)
    return Ledger(
        scenario=scenario,
        ledger_calls=rows.calls,
        invoice_calls=invoice.calls,
        ledger_pusd=str(rows.pusd),
        invoice_pusd=str(invoice.pusd),
        ledger_tokens=rows.tokens,
        invoice_tokens=invoice.tokens,
        budgets=len(passed),
        overshoot_nusd=sum(passed),
    )


def charged_in(gateway: GatewayContender, run: str) -> Charged:
    """Sums over the ledger's rows of a run that used anything: a refusal has a row, too, but no line on an invoice. pico-USD are
    added in Python: SQLite's integers end at 9.2 million USD."""
    columns = sorted(COLUMNS.values())
    sums = ", ".join(f'coalesce(sum("{column}"), 0)' for column in columns)
    where = "FROM \"call\" WHERE session_id >= ? AND session_id < ? AND usage_source <> 'none'"
    connection = sqlite3.connect(f"file:{gateway.ledger}?mode=ro", uri=True, timeout=30)
    try:
        between = (f"{run}-", f"{run}.")  # "." follows "-"
        calls, *tokens = connection.execute(f"SELECT count(*), {sums} {where}", between).fetchone()
        pusd = sum(amount for (amount,) in connection.execute(f"SELECT list_pusd {where}", between))
    finally:
        connection.close()
    return Charged(calls, pusd, dict(zip(columns, tokens, strict=True)))


def overshoots(gateway: GatewayContender) -> list[int]:
    """By how much each budget of the key has been passed, nano-USD. Raises ContenderFailed if there is no budget, or if one
    still has something set aside: nothing runs any more."""
    budgets = json.loads(get(gateway, "/api/me"))["budgets"]
    if not budgets:
        raise ContenderFailed("gw says that its key has no budgets")
    held = [one["id"] for one in budgets if Decimal(one["reserved_usd"])]
    if held:
        raise ContenderFailed(f"nothing runs, but these budgets have something set aside: {', '.join(held)}")
    return [max(0, int((Decimal(one["spent_usd"]) - Decimal(one["limit_usd"])) * NUSD)) for one in budgets]


def get(contender: Contender, path: str) -> str:
    """Raises ContenderFailed."""
    request = urllib.request.Request(f"http://{HOST}:{contender.port}{path}", headers=contender.headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError) as error:
        raise ContenderFailed(f"{path} of {contender.name}: {error}") from error


def parts(exposition: str) -> dict[str, float]:
    """Part -> seconds that gw has spent on it so far, from a page of /metrics; empty if the gateway does not say."""
    return {
        labels["part"]: float(sum_s)
        for text, sum_s in PART_SUM.findall(exposition)
        if "part" in (labels := dict(LABEL.findall(text)))
    }


Buckets = dict[str, list[tuple[float, float]]]


def overhead(exposition: str) -> Buckets:
    """Part -> [(upper bound in seconds, how many calls were not above it)], ascending, from a page of /metrics; empty if the
    gateway does not say."""
    found: Buckets = {}
    for labels, count in PART.findall(exposition):
        named = dict(LABEL.findall(labels))
        found.setdefault(named.get("part", "governance"), []).append((float(named["le"]), float(count)))
    return {part: sorted(buckets) for part, buckets in found.items()}


def since(before: Buckets, after: Buckets) -> Buckets:
    """What came between two readings of one gateway."""
    return {
        part: [(bound, count - (before[part][at][1] if part in before else 0)) for at, (bound, count) in enumerate(buckets)]
        for part, buckets in after.items()
    }


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """Seconds; linear within a bucket, as Prometheus reckons. 0 without any call; the last finite bound for what is beyond."""
    total = buckets[-1][1] if buckets else 0
    low = low_count = 0.0
    for bound, count in buckets:
        if total and count >= share * total:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (share * total - low_count) / (count - low_count) if count > low_count else bound
        low, low_count = bound, count
    return 0.0
