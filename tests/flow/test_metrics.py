"""/metrics: any worker answers for all; the numbers are those of the ledger and never go back, whoever dies."""

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gw.domain.money import PUSD_PER_USD
from tests.faults.processes import family, kill
from tests.flow.client import call
from tests.flow.stage import OWN, Stage, prompt, session, stage

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
COUNTED = ("_total", "_bucket", "_count", "_sum")
PLAYS = {  # prompt -> calls of it
    "hi": 9,
    "[play:events 5]": 7,
    "[play:mixed-ttl]": 4,
    "[play:geo-fast-search]": 3,
    "[play:status 529]": 5,
    "[play:error-event overloaded_error]": 2,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("metrics"), workers=2) as one:
        yield one


def scrape(house: Stage) -> Samples:
    answer = asyncio.run(call(house.port, "/metrics", method="GET"))
    assert answer.status == 200 and answer.header("content-type").startswith("text/plain")
    families = list(text_string_to_metric_families(answer.body.decode()))
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for each in families for one in each.samples}


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def traffic(house: Stage, group: str) -> int:
    """Each play as often as the table says, all at once; and what leaves no token: a count, a list, refusals."""

    async def one(body: bytes, path: str = "/v1/messages", method: str = "POST", own: bool = True) -> None:
        await call(house.port, path, method=method, headers=[session(group), *([OWN] if own else [])], body=body)

    async def all_of_it() -> int:
        bodies = [prompt(f"{at} {play}") for play, count in PLAYS.items() for at in range(count)]
        calls = [one(body) for body in bodies]
        calls += [one(prompt(), "/v1/messages/count_tokens"), one(b"", "/v1/models", "GET"), one(b"[]"), one(prompt(), own=False)]
        await asyncio.gather(*calls, one(b"", "/nothing/here", "GET"))
        return len(calls)

    return asyncio.run(all_of_it())


def test_numbers_equal_the_ledger_summed_over_all_workers(house: Stage) -> None:
    before = scrape(house)
    rows = house.gateway.session_rows("counted", traffic(house, "counted"))
    assert len({row["worker"] for row in rows}) == 2
    after = scrape(house)

    def grown(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    for outcome in ("completed", "refused", "upstream_error", "client_gone"):
        for endpoint in ("messages", "count_tokens", "models"):
            count = sum(1 for row in rows if (row["endpoint"], row["outcome"]) == (endpoint, outcome))
            assert grown("gw_calls_total", endpoint=endpoint, outcome=outcome) == count
    for column in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
        assert grown("gw_tokens_total", **{"class": column}) == sum(row[f"{column}_tokens"] for row in rows) > 0
    for source in ("exact", "observed", "none"):
        count = sum(1 for row in rows if row["endpoint"] == "messages" and row["usage_source"] == source)
        assert grown("gw_usage_source_total", source=source) == count > 0
    for kind in ("list", "billed"):
        nano_usd = sum(row[f"{kind}_pusd"] // 1000 for row in rows)
        assert round(grown("gw_cost_usd_total", kind=kind) * PUSD_PER_USD / 1000) == nano_usd > 0
    messages = [row for row in rows if row["endpoint"] == "messages"]
    assert grown("gw_call_duration_seconds_count") == len(messages)
    assert grown("gw_first_token_seconds_count") == sum(1 for row in messages if row["first_token_us"])
    assert grown("gw_errors_total", error="unknown_path") == 1
    assert grown("gw_errors_total", error="missing_credential") == grown("gw_errors_total", error="invalid_json") == 1
    assert of(after, "gw_workers") == 2 and of(after, "gw_in_flight") == 0 and of(after, "gw_draining") == 0


def test_histograms_are_cumulative_and_complete(house: Stage) -> None:
    samples = scrape(house)
    for name in ("gw_call_duration_seconds", "gw_first_token_seconds"):
        buckets = [(labels[0][1], value) for (sample, labels), value in samples.items() if sample == f"{name}_bucket"]
        values = [value for _, value in sorted(buckets, key=lambda one: float(one[0]))]
        assert values == sorted(values) and values[-1] == of(samples, f"{name}_count")


def test_counters_never_go_back_when_a_worker_is_killed(house: Stage) -> None:
    traffic(house, "before the kill")
    before = scrape(house)
    victim = family(house.gateway).workers[0]
    kill(victim)
    house.gateway.poll(lambda: (now := family(house.gateway).workers) and victim not in now and len(now) == 2, "another worker")
    house.gateway.poll(lambda: house.ready()["workers"] == 2, "two workers")
    after = scrape(house)
    assert [name for name, value in before.items() if name[0].endswith(COUNTED) and after[name] < value] == []
    traffic(house, "after the kill")
    last = scrape(house)
    assert [name for name, value in after.items() if name[0].endswith(COUNTED) and last[name] < value] == []
    grown = of(last, "gw_calls_total", endpoint="messages", outcome="completed") - of(
        after, "gw_calls_total", endpoint="messages", outcome="completed"
    )
    assert grown == sum(count for play, count in PLAYS.items() if "status" not in play and "error" not in play)
    assert of(last, "gw_in_flight") == 0


def test_a_page_asked_for_while_calls_run_counts_them(house: Stage) -> None:
    async def look() -> float:
        stream = asyncio.ensure_future(call(house.port, headers=[OWN], body=prompt("[play:events 20 30]")))
        try:
            async with asyncio.timeout(20):
                while True:
                    page = await call(house.port, "/metrics", method="GET")
                    for one in text_string_to_metric_families(page.body.decode()):
                        if one.name == "gw_in_flight" and one.samples[0].value:
                            return float(one.samples[0].value)
        finally:
            await stream

    assert asyncio.run(look()) == 1


def test_each_messages_call_is_in_the_overhead_once_and_its_parts_add_up(house: Stage) -> None:
    before = scrape(house)
    house.gateway.session_rows("overhead", traffic(house, "overhead"))
    after = scrape(house)
    messages = sum(PLAYS.values()) + 2  # two were refused
    names = ("auth", "peek", "plan", "admit", "settle", "record", "relay")

    def grown(name: str, part: str) -> float:
        return of(after, name, part=part) - of(before, name, part=part)

    for part in ("all", "governance"):
        assert grown("gw_overhead_seconds_count", part) == messages
    parts = {name: grown("gw_overhead_part_seconds_total", name) for name in names}
    assert min(parts.values()) > 0
    assert sum(parts.values()) == pytest.approx(grown("gw_overhead_seconds_sum", "all"))
    assert sum(parts.values()) - parts["relay"] == pytest.approx(grown("gw_overhead_seconds_sum", "governance"))


@pytest.mark.parametrize(("stream", "known"), [(True, 5), (False, 7)])
def test_an_answer_says_where_its_time_went_if_it_was_asked_for(house: Stage, *, stream: bool, known: int) -> None:
    headers = [session("timing"), OWN]
    plain = asyncio.run(call(house.port, headers=headers, body=prompt(stream=stream)))
    timed = asyncio.run(call(house.port, headers=[*headers, ("x-gw-timing", "1")], body=prompt(stream=stream)))
    assert "x-gw-timing" not in dict(plain.headers)
    parts = [part.split(";dur=") for part in timed.header("x-gw-timing").split(", ")]
    assert [name for name, _ in parts] == ["auth", "peek", "plan", "admit", "settle", "record", "relay"]
    assert sum(float(ms) > 0 for _, ms in parts) >= known, "a stream has yet to be settled"
