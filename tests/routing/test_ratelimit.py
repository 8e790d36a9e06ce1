"""What upstreams say of their limits, in each one's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.routing.ratelimit import NOTHING, Left, Seen, is_throttled, retry_info_us, seen, span_us

NOW = 1_795_000_000_000_000  # 2026-11-18T11:06:40Z
US = 1_000_000

HEADERS: list[tuple[dict[str, str], Seen]] = [
    ({}, NOTHING),
    ({"content-type": "x", "x-request-id": "1"}, NOTHING),
    ({"retry-after": "12"}, Seen(12 * US)),
    ({"retry-after": "1.5"}, Seen(1_500_000)),
    ({"retry-after": "0"}, NOTHING),
    ({"retry-after": "Wed, 18 Nov 2026 11:07:40 GMT"}, Seen(60 * US)),
    ({"retry-after": "Wed, 18 Nov 2026 10:00:00 GMT"}, NOTHING),
    ({"retry-after": "soon"}, NOTHING),
    ({"retry-after": "-5"}, NOTHING),
    ({"retry-after": "999999999"}, Seen(86_400 * US)),
    ({"retry-after-ms": "250", "retry-after": "0"}, Seen(250_000)),
    ({"x-ms-retry-after-ms": "1500"}, Seen(1_500_000)),
    (
        {
            "anthropic-ratelimit-requests-limit": "1000", "anthropic-ratelimit-requests-remaining": "900",
            "anthropic-ratelimit-requests-reset": "2026-11-18T11:07:00Z",
            "anthropic-ratelimit-tokens-limit": "80000", "anthropic-ratelimit-tokens-remaining": "2000",
            "anthropic-ratelimit-tokens-reset": "2026-11-18T11:06:50Z",
        },
        Seen(0, Left(25, NOW + 10 * US, "tokens")),
    ),
    (
        {"anthropic-ratelimit-unified-5h-utilization": "0.97", "anthropic-ratelimit-unified-5h-reset": "1795001000"},
        Seen(0, Left(30, 1_795_001_000 * US, "unified-5h")),
    ),
    (
        {
            "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "120ms",
        },
        Seen(0, Left(0, NOW + 360 * US, "requests")),
    ),
    (
        {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "1795000010000"},
        Seen(0, Left(50, NOW + 10 * US, "")),
    ),
    ({"ratelimit-limit": "100", "ratelimit-remaining": "50", "ratelimit-reset": "30"}, Seen(0, Left(500, NOW + 30 * US, ""))),
    ({"x-ratelimit-remaining-tokens": "0"}, Seen(0, Left(0, NOW + 60 * US, "tokens"))),
    ({"x-ratelimit-remaining-tokens": "7"}, NOTHING),
    ({"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "many"}, NOTHING),
    ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-18T11:00:00Z"}, NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "found"), HEADERS)
def test_headers_say_what_is_left_and_when_to_come_again(headers: dict[str, str], found: Seen) -> None:
    assert seen([(name.encode(), value.encode()) for name, value in headers.items()], NOW) == found


def test_google_says_it_in_the_body() -> None:
    info = b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}'
    body = b'[{"error":{"code":429,"details":[{"@type":"x"},%b]}}]' % info
    assert retry_info_us(body) == 34_070_000
    assert seen([], NOW, body[1:-1]).retry_after_us == 34_070_000
    assert seen([(b"retry-after", b"3")], NOW, body).retry_after_us == 3 * US
    assert retry_info_us(b'{"error":{"details":[{"retryDelay":{"seconds":"7"}}]}}') == 7 * US
    for other in (b"", b"retryDelay", b"[]", b'{"error":[],"retryDelay":1}', b'{"error":{"details":[{"retryDelay":5}]}}'):
        assert retry_info_us(other) == 0


SPANS = [
    ("6m0s", 360 * US),
    ("1h2m3.5s", 3_723_500_000),
    ("120ms", 120_000),
    ("2", 2 * US),
    ("1d", 86_400 * US),
    ("", -1),
    ("5x", -1),
    ("s", -1),
    ("1s ", -1),
    ("-1s", -1),
]


@pytest.mark.parametrize(("text", "us"), SPANS)
def test_spans_of_time(text: str, us: int) -> None:
    assert span_us(text) == us


@pytest.mark.parametrize(
    ("error", "throttled"),
    [
        ("ThrottlingException", True),
        ("TooManyRequestsException", True),
        ("com.amazon#ThrottledException:http", True),
        ("ValidationException", False),
        ("", False),
    ],
)
def test_aws_says_it_by_the_type_of_its_error(error: str, throttled: bool) -> None:
    assert is_throttled(error) is throttled


NAMES = st.sampled_from(
    [
        b"retry-after",
        b"retry-after-ms",
        b"x-ratelimit-remaining-a",
        b"x-ratelimit-limit-a",
        b"x-ratelimit-reset-a",
        b"anthropic-ratelimit-u-utilization",
        b"ratelimit-reset",
    ]
)


@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=12) | st.text("0123456789.smhd", max_size=20).map(str.encode)), max_size=6),
    st.binary(max_size=20),
)
def test_nothing_that_an_upstream_says_makes_it_raise(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    found = seen(headers, NOW, body)
    assert 0 <= found.retry_after_us <= 86_400 * US
    assert found.left is None or (0 <= found.left.permille <= 1000 and found.left.until_us > NOW)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([(b"retry-after", b"9" * 5000 + b"s")], b""),
        ([(b"retry-after", b"1." + b"1" * 5000 + b"s")], b""),
        ([(b"retry-after", b"Mon, 01 Jan 2020 00:00:00 +" + b"9" * 20)], b""),
        ([(b"x-ratelimit-reset-a", b"9" * 5000 + b"s"), (b"x-ratelimit-remaining-a", b"0")], b""),
        ([], b'{"error":{"details":[{"retryDelay":"' + b"1" * 30_000 + b'"}]}}'),
    ],
)
def test_endless_numbers_say_nothing_and_take_no_time(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """The last one took 35 s of a worker's loop."""
    assert seen(headers, NOW, body) == Seen()


@pytest.mark.parametrize("reset", [b"99999999999999", b"9999-12-31T23:59:59Z"])
def test_no_limit_is_used_up_for_longer_than_a_day(reset: bytes) -> None:
    """Nothing is sent to a place that is last in the order, so nothing would take it back."""
    found = seen([(b"x-ratelimit-remaining-a", b"0"), (b"x-ratelimit-reset-a", reset)], NOW)
    assert found.left is not None
    assert found.left.until_us == NOW + 86_400 * US
