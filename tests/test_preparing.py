"""Requests that go upstream as they came: the short way makes of them what the long one would."""

import pytest

from gw.config.secret import Secret
from gw.config.upstream_model import Upstream
from gw.demand import Demand
from gw.deployment import Deployment
from gw.doors import Door
from gw.exchange import Outgoing
from gw.preparing import as_it_came, prepare, straight
from gw.room import Room
from gw.routing.asked import Candidate
from gw.routing.health import Health
from gw.ways import Way
from gw.wire.headers import read_request

BODY = b'{"model":"claude-opus-5-5","max_tokens":9,"messages":[]}'
SEALED = b'{"model":"claude-opus-5-5","max_tokens":9,"messages":["gw1.x"]}'
UPSTREAMS = [
    {},
    {"headers": {"x-team": Secret("blue")}},
    {"provider": "anthropic_aws", "region": "us-east-1", "project": "w"},
    {"provider": "custom", "dialect": "anthropic", "base_url": "http://127.0.0.1:9/v1"},
]
HEADERS = [
    [],
    [(b"anthropic-version", b"2023-06-01"), (b"x-stainless-os", b"Linux")],
    [(b"x-app", b"anthropic-version: 1"), (b"anthropic-version", b"2023-06-01"), (b"anthropic-workspace-id", b"w")],
    [(b"connection", b"anthropic-version"), (b"anthropic-version", b"2023-06-01"), (b"x-anthropic-version", b"2")],
    [(b"x-goog-fieldmask", b"id"), (b"x-app", b"cli")],
    [(b"range", b"bytes=0-1"), (b"x-amz-date", b"20260101T000000Z"), (b"accept", b"*/*")],
    [(b"x-http-method-override", b"GET"), (b"if-range", b"a")],
    [(b"x-method-override", b"GET"), (b"r", b"a"), (b"content-encoding", b"gzip")],
]


def demand_of(headers: list[tuple[bytes, bytes]], query: bytes, body: bytes, plain: bytes = b"") -> Demand:
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": query, "headers": headers}
    made = Demand(Door("messages"), read_request(headers), scope, body, plain or body)
    made.model = "claude-opus-5-5"
    return made


def parts(made: Outgoing | None) -> tuple[object, ...]:
    assert made is not None
    return made.method, made.path, made.head, made.body, made.speech, made.again, made.early


def way_to(model: str = "claude-opus-5-5", **more: object) -> Way:
    fields = {"name": "up", "base_url": "http://127.0.0.1:9", "api_key": Secret("sk-up"), **more}
    candidate = Candidate("up", model)
    return Way(candidate, Deployment(Upstream(**fields)), Room("up"), Health().spot(candidate.id))  # type: ignore[arg-type]


@pytest.mark.parametrize("more", UPSTREAMS)
def test_what_goes_as_it_came_is_what_would_be_made_of_it(more: dict[str, object]) -> None:
    way = way_to(**more)
    for headers in HEADERS:
        for query in (b"", b"beta=true", b"key=k&beta=true", b"beta=true"):
            demand = demand_of(headers, query, b"packed", BODY)
            made = as_it_came(demand, way)
            assert made is not None and parts(made) == parts(prepare(demand, way.deployment, way.model, own_credential=False))
            with_key = as_it_came(demand, way, way.keyed.line)
            assert with_key is not None and with_key.head == made.head + way.keyed.line
            assert straight(made.head) == made.head and (made.body, made.path.count(b"key=")) == (b"packed", 0)


def test_what_must_be_changed_does_not_go_as_it_came() -> None:
    assert as_it_came(demand_of([], b"", SEALED), way_to()) is None
    assert as_it_came(demand_of([], b"", BODY), way_to("claude-haiku-5")) is None
    assert as_it_came(demand_of([], b"", BODY), way_to(provider="openai")) is None
    capped, eased = demand_of([], b"", BODY), demand_of([], b"", BODY)
    capped.max_tokens, eased.effort = 5, "low"
    assert as_it_came(capped, way_to()) is None and as_it_came(eased, way_to()) is None


def test_what_was_left_out_for_one_upstream_is_not_said_of_the_next() -> None:
    for way in (way_to(), way_to("claude-haiku-5")):
        demand = demand_of([], b"", BODY)
        demand.lost = ["top_k"]
        assert as_it_came(demand, way) or prepare(demand, way.deployment, way.model, own_credential=False)
        assert demand.left_out() == []
