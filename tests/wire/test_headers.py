"""What passes between client and upstream, what stays, and what is read on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw.domain.key import mint
from gw.upstream.outgoing import serialise
from gw.upstream.target import Target
from gw.wire.headers import TAGS_MAX, VALUE_MAX, Device, Headers, read_request, text_of, to_client

KEY = mint().text.encode()
IDENTITY = b"accept-encoding: identity\r\n"


def sent(*pairs: tuple[bytes, bytes]) -> bytes:
    return read_request(list(pairs)).head


PASS = [
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"a,b"),
    (b"user-agent", b"claude-cli/2"),
    (b"x-claude-code-session-id", b"s"),
    (b"x-stainless-lang", b"js"),
    (b"content-type", b"application/json"),
    (b"content-encoding", b"GZIP"),
    (b"cookie", b""),
    (b"x-bytes", bytes(range(0x80, 0x100))),
]


@pytest.mark.parametrize("pair", PASS, ids=lambda pair: pair[0].decode())
def test_what_gw_does_not_own_passes_as_it_came(pair: tuple[bytes, bytes]) -> None:
    assert sent(pair) == b"%b: %b\r\n" % pair + IDENTITY
    assert sent(pair, pair) == (b"%b: %b\r\n" % pair) * 2 + IDENTITY


STAY = [
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"keep-alive",
    b"te",
    b"trailer",
    b"upgrade",
    b"expect",
    b"proxy-authorization",
    b"proxy-authenticate",
    b"proxy-connection",
    b"accept-encoding",
    b"x-gw-key",
    b"x-gw-project",
    b"x-gw-anything",
    b"x-api-key",
    b"authorization",
]


@pytest.mark.parametrize("name", STAY)
def test_hop_by_hop_headers_credentials_and_gws_own_stay(name: bytes) -> None:
    assert sent((name, b"5")) == IDENTITY


def test_whatever_any_connection_header_names_stays_too() -> None:
    pairs = [(b"a", b"1"), (b"connection", b"close"), (b"connection", b"Keep-Alive, A ,x-b"), (b"x-b", b"2"), (b"c", b"3")]
    assert sent(*pairs) == b"c: 3\r\n" + IDENTITY


def test_values_are_read_whatever_their_case_and_blanks() -> None:
    pairs = [
        (b"x-gw-key", b" k "),
        (b"x-api-key", b" a "),
        (b"authorization", b" Bearer b "),
        (b"content-encoding", b" GZip "),
        (b"content-length", b"12"),
        (b"x-gw-project", b"p"),
        (b"user-agent", b"u"),
    ]
    one = read_request(pairs)
    assert (one.gw_key, one.api_key, one.authorization) == (b"k", b"a", b"Bearer b")
    assert (one.content_encoding, one.content_length) == (b"gzip", 12)
    assert one.values == {b"x-gw-project": b"p", b"user-agent": b"u"}
    assert one.credentials == b"x-api-key:  a \r\nauthorization:  Bearer b \r\n"


@pytest.mark.parametrize("value", [b"", b"-1", b"1e3", b"0x10", b" 5", b"abc"])
def test_a_length_that_is_no_number_is_no_length(value: bytes) -> None:
    assert read_request([(b"content-length", value)]).content_length == -1


@pytest.mark.parametrize("name", [b"x-api-key", b"authorization"])
def test_a_virtual_key_is_never_among_what_may_go_upstream(name: bytes) -> None:
    one = read_request([(name, b"Bearer " + KEY), (name, b"sk-own")])
    assert one.credentials == name + b": sk-own\r\n"


names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20).map(str.encode)
texts = st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F))
target = Target.from_url("http://upstream.test")


@given(pairs=st.lists(st.tuples(names | st.sampled_from(STAY) | st.sampled_from([name for name, _ in PASS]), texts), max_size=12))
def test_no_header_changes_the_shape_of_the_request(pairs: Headers) -> None:
    one = read_request(pairs)
    lead, _ = serialise(target, b"POST", b"/v1/messages", one.head + one.credentials, b"{}")
    head, _, body = lead.partition(b"\r\n\r\n")
    assert body == b"{}" and head.lower().count(b"\r\ncontent-length:") == head.lower().count(b"\r\nhost:") == 1
    assert b"\r\nx-gw-" not in head


# --- to the client ----------------------------------------------------------------------------------------------------
ID = b"gw_1"
MINE = [(b"request-id", ID), (b"x-gw-call-id", ID)]


def received(*pairs: tuple[bytes, bytes], own: bool = True) -> Headers:
    return to_client(list(pairs), ID, own_account=own).headers


def test_the_clients_request_id_is_gws_and_the_upstreams_is_kept_beside_it() -> None:
    answer = to_client([(b"request-id", b"req_9"), (b"x-a", b"1")], ID, own_account=True)
    assert answer.headers == [*MINE, (b"x-a", b"1"), (b"x-gw-upstream-request-id", b"req_9")]
    assert answer.request_id == "req_9"


OF_THE_HOP = [b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"proxy-authenticate"]


@pytest.mark.parametrize("name", [*OF_THE_HOP, b"content-length", b"date", b"server", b"x-gw-error", b"x-gw-cost-usd"])
def test_what_describes_the_hop_or_would_pass_for_gws_word_stays(name: bytes) -> None:
    assert received((name, b"1")) == MINE


ACCOUNT = [
    (b"anthropic-ratelimit-requests-remaining", b"7"),
    (b"anthropic-ratelimit-unified-status", b"allowed"),
    (b"anthropic-organization-id", b"org"),
    (b"set-cookie", b"a=b"),
]


def test_the_companys_account_is_shown_to_nobody_and_the_clients_own_to_the_client() -> None:
    assert received(*ACCOUNT) == [*MINE, *ACCOUNT]
    assert received(*ACCOUNT, (b"retry-after", b"3"), own=False) == [*MINE, (b"retry-after", b"3")]


def test_what_the_upstreams_connection_header_names_stays() -> None:
    assert received((b"x-a", b"1"), (b"connection", b"close, X-A"), (b"x-b", b"2")) == [*MINE, (b"x-b", b"2")]


KINDS = [
    (b"text/event-stream", b"", True, b""),
    (b" Text/Event-Stream; charset=utf-8", b"identity", True, b""),
    (b"application/json", b" GZIP", False, b"gzip"),
    (b"", b"br", False, b"br"),
]


@pytest.mark.parametrize(("kind", "encoding", "streams", "read"), KINDS)
def test_kind_and_encoding_are_read_and_passed(kind: bytes, encoding: bytes, streams: bool, read: bytes) -> None:
    pairs = [(b"content-type", kind), (b"content-encoding", encoding)]
    answer = to_client(pairs, ID, own_account=True)
    assert (answer.streams, answer.encoding) == (streams, read)
    assert answer.headers == [*MINE, *pairs]


# --- attribution ------------------------------------------------------------------------------------------------------
@given(value=st.binary(max_size=2 * TAGS_MAX), limit=st.sampled_from([VALUE_MAX, TAGS_MAX]))
def test_a_value_becomes_bounded_printable_text(value: bytes, limit: int) -> None:
    text = text_of(value, limit)
    assert len(text) == min(len(value), limit) and text.isprintable()
    assert text == value.decode("latin-1")[:limit] or not value.decode("latin-1")[:limit].isprintable()


DEVICES = [
    ('{"device_id":"d","account_uuid":"","session_id":"s"}', "d", "s"),
    ('{"session_id":"s"}', "", "s"),
    ('{"device_id":5,"session_id":null}', "", ""),
    ("{not json", "{not json", ""),
    (f"user_{'a' * 64}_account__session_5f0c2b4e-0000-4000-8000-000000000000", "a" * 64, "5f0c2b4e-0000-4000-8000-000000000000"),
    ("somebody@example.com", "somebody@example.com", ""),
    ("", "", ""),
    (None, "", ""),
]


@pytest.mark.parametrize(("user_id", "device", "session"), DEVICES)
def test_the_device_is_a_digest_and_the_session_is_named(user_id: str | None, device: str, session: str) -> None:
    one = Device(b"pepper of the test")
    digest, found = one.read(user_id)
    assert found == session and bool(digest) == bool(device)
    assert not device or (len(digest) == 16 and digest == one.read(device if device != user_id else user_id)[0])
    assert not device or Device(b"another pepper....").read(user_id)[0] != digest


@given(user_id=st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.from_regex(r"\{.{0,60}\}", fullmatch=True))
def test_any_user_id_can_be_read(user_id: str) -> None:
    digest, session = Device(b"pepper of the test").read(user_id.encode("utf-8", "replace").decode())
    assert len(digest) in (0, 16) and len(session) <= VALUE_MAX


def test_long_user_ids_are_not_kept() -> None:
    one = Device(b"pepper of the test")
    assert one.read("x" * 10_000) == one.read("x" * 10_000)
    assert not one._cache
