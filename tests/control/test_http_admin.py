"""The reports of Anthropic's Admin API over gw's own data: parameters, shapes, pages and errors as its clients expect them."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from gw.app import is_control
from tests.control.api import TOKEN, Answer, Api
from tests.control.test_http_usage import DAY_US, HOUR_US, USD, write
from tests.ledger.records import NOON_US, record

USAGE, COST = "/v1/organizations/usage_report/messages", "/v1/organizations/cost_report"
START = ("starting_at", "2026-11-01T00:00:00Z")
END = ("ending_at", "2026-11-04T00:00:00Z")
DIMENSIONS = ("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo", "speed")
NONE = dict.fromkeys((*DIMENSIONS, "account_id", "service_account_id"))


@pytest.fixture
def used(api: Api) -> Iterator[Api]:
    opus = {"served_model": "claude-opus-5-5", "service_tier": "standard", "team": "platform", "key_id": "vk1", "key_name": "ci"}
    parts = {"input_pusd": USD // 4, "output_pusd": USD // 4, "cache_write_1h_pusd": USD // 4, "tools_pusd": USD // 4}
    parts["billed_pusd"] = USD
    calls = [
        record("a", input_tokens=10, output_tokens=20, cache_write_1h_tokens=7, web_search_requests=2, **opus, **parts),
        record("b", ended_us=NOON_US + 5 * HOUR_US, cache_read_tokens=250_000, cache_write_5m_tokens=9, key_name="toml", team=""),
        record("c", ended_us=NOON_US + 2 * DAY_US, input_tokens=1, billed_pusd=12_345, input_pusd=12_345, **opus),
        record("r", outcome="refused", usage_source="none", **opus),
    ]
    asyncio.run(write(api, calls))
    yield api


async def ask(api: Api, path: str, *query: tuple[str, str | int], **headers: str) -> Answer:
    given = {"x_api_key": TOKEN, **headers}
    return await api.ask("GET", f"{path}?{urlencode(query)}", token=None, **given)


async def test_usage_is_one_result_a_bucket_without_groups(used: Api) -> None:
    answer = (await ask(used, USAGE, START, END)).json
    assert (answer["has_more"], answer["next_page"]) == (False, None)
    assert [(one["starting_at"], one["ending_at"], len(one["results"])) for one in answer["data"]] == [
        ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", 1),
        ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z", 0),
        ("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z", 1),
    ]
    assert answer["data"][0]["results"] == [
        {
            "uncached_input_tokens": 10,
            "cache_creation": {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 9},
            "cache_read_input_tokens": 250_000,
            "output_tokens": 20,
            "server_tool_use": {"web_search_requests": 2},
            **NONE,
        }
    ]


async def test_usage_by_every_group(used: Api) -> None:
    names = ("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo", "account_id")
    answer = (await ask(used, USAGE, START, END, *(("group_by[]", name) for name in names))).json
    first, second = answer["data"][0]["results"]
    assert {name: first[name] for name in names} == {
        "api_key_id": "toml",
        "workspace_id": None,
        "model": "claude-sonnet-4-5-20250929",
        "service_tier": None,
        "context_window": "200k-1M",
        "inference_geo": "not_available",
        "account_id": None,
    }
    assert (second["api_key_id"], second["workspace_id"], second["context_window"]) == ("vk1", "platform", "0-200k")


@pytest.mark.parametrize(
    ("filters", "tokens"),
    [
        ([("models[]", "claude-opus-5-5")], 10),
        ([("models[]", "claude-opus-5-5"), ("models[]", "claude-sonnet-4-5-20250929")], 250_010),
        ([("api_key_ids[]", "toml")], 250_000),
        ([("workspace_ids", "platform"), ("service_tiers[]", "standard")], 10),
        ([("context_window[]", "200k-1M")], 250_000),
        ([("inference_geos[]", "not_available")], 250_010),
        ([("api_key_ids[]", "nobody")], None),
    ],
)
async def test_filters_hold_together(used: Api, filters: list[tuple[str, str]], tokens: int | None) -> None:
    answer = (await ask(used, USAGE, START, ("limit", 1), *filters)).json
    found = answer["data"][0]["results"]
    assert (sum(one["uncached_input_tokens"] + one["cache_read_input_tokens"] for one in found) if found else None) == tokens


async def test_pages_go_on_until_there_is_no_more(used: Api) -> None:
    seen, page = [], ""
    while True:
        more = (("page", page),) if page else ()
        answer = (await ask(used, USAGE, START, END, ("limit", 1), *more)).json
        seen += [one["starting_at"][:10] for one in answer["data"]]
        page = answer["next_page"]
        if not answer["has_more"]:
            break
    assert seen == ["2026-11-01", "2026-11-02", "2026-11-03"] and page is None


async def test_hours_and_minutes(used: Api) -> None:
    from_noon = ("starting_at", "2026-11-01T12:00:30Z")
    hours = (await ask(used, USAGE, from_noon, ("bucket_width", "1h"), ("limit", 6))).json
    assert [len(one["results"]) for one in hours["data"]] == [1, 0, 0, 0, 0, 1] and hours["has_more"]
    minutes = (await ask(used, USAGE, from_noon, ("bucket_width", "1m"), ("limit", 3), ("group_by[]", "model"))).json
    assert [one["starting_at"] for one in minutes["data"]] == [f"2026-11-01T12:0{minute}:00Z" for minute in range(3)]
    (result,) = minutes["data"][0]["results"]
    assert (result["model"], result["output_tokens"]) == ("claude-opus-5-5", 20)


async def test_costs_are_cents_as_decimal_text(used: Api) -> None:
    answer = (await ask(used, COST, START, END)).json
    assert [one["results"][0]["amount"] if one["results"] else None for one in answer["data"]] == ["100", None, "0.0000012345"]
    assert answer["data"][0]["results"][0]["currency"] == "USD"
    assert answer["data"][0]["results"][0]["description"] is None


async def test_costs_by_workspace_and_description(used: Api) -> None:
    groups = (("group_by[]", "workspace_id"), ("group_by[]", "description"))
    answer = (await ask(used, COST, START, ("limit", 1), *groups)).json
    lines = answer["data"][0]["results"]
    assert [(one["cost_type"], one["token_type"], one["amount"]) for one in lines] == [
        ("tokens", "uncached_input_tokens", "25"),
        ("tokens", "output_tokens", "25"),
        ("tokens", "cache_creation.ephemeral_1h_input_tokens", "25"),
        ("web_search", None, "25"),
    ]
    assert lines[0]["description"] == "claude-opus-5-5 Usage - Input Tokens" and lines[0]["workspace_id"] == "platform"
    assert (lines[0]["model"], lines[0]["service_tier"], lines[0]["context_window"]) == ("claude-opus-5-5", "standard", "0-200k")


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        (USAGE, [], "starting_at: is missing"),
        (USAGE, [("starting_at", "soon")], "RFC 3339"),
        (USAGE, [START, ("bucket_width", "1w")], "one of 1d, 1h, 1m"),
        (COST, [START, ("bucket_width", "1h")], "one of 1d"),
        (USAGE, [START, ("limit", "32")], "1 to 31"),
        (USAGE, [START, ("limit", "١")], "1 to 31"),
        (USAGE, [START, ("group_by[]", "modle")], 'did you mean "model"'),
        (USAGE, [START, ("page", "page_%%")], "next_page"),
        (USAGE, [START, ("ending_at", "2026-10-01T00:00:00Z")], "after starting_at"),
        (USAGE, [START, ("colour", "red")], "unknown parameter"),
        (COST, [START, START], "given twice"),
        (USAGE, [START, ("models[]", "a\0")], "NUL"),
    ],
)
async def test_wrong_questions_are_refused_in_anthropics_shape(
    api: Api, path: str, query: list[tuple[str, str]], words: str
) -> None:
    answer = await ask(api, path, *query)
    assert answer.status == 400 and answer.json["type"] == "error" and answer.json["error"]["type"] == "invalid_request_error"
    assert words in answer.json["error"]["message"] and answer.json["request_id"] == answer.headers["request-id"]


async def test_only_the_admin_token_opens_them(api: Api) -> None:
    assert (await api.ask("GET", f"{USAGE}?{urlencode([START])}")).status == 200, "as a bearer"
    for headers, status, kind in (
        ({"x_api_key": "gwa_wrong"}, 401, "authentication_error"),
        ({"x_api_key": ""}, 401, "authentication_error"),
        ({"x_api_key": "gwk_a-virtual-key"}, 403, "permission_error"),
    ):
        answer = await ask(api, USAGE, START, **headers)
        assert (answer.status, answer.json["error"]["type"]) == (status, kind), answer.body


async def test_other_paths_and_methods_are_said_to_be_none(api: Api) -> None:
    answer = await ask(api, "/v1/organizations/workspaces")
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")
    posted = await api.ask("POST", COST, token=None, x_api_key=TOKEN)
    assert posted.status == 405 and posted.headers["allow"] == "GET, HEAD"


async def test_a_ledger_that_is_empty_has_empty_buckets(api: Api) -> None:
    answer = (await ask(api, COST, START, END)).json
    assert [one["results"] for one in answer["data"]] == [[], [], []]


def test_they_reach_the_control_api() -> None:
    assert is_control(USAGE) and is_control(COST) and not is_control("/v1/messages")
