"""Headers: both twins read the same of any; what they read and pass is tested in tests/wire/test_headers.py."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gw._fast import heads as compiled
from gw._fast.ref import heads as pure
from gw.domain.key import PREFIX, mint
from gw.domain.money import usd_text
from gw.domain.text import printable

TWINS = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])
KNOWN = [*pure.ROLES, *pure.NOT_CLIENT, *pure.OF_THE_ACCOUNT, b"content-type", b"anthropic-ratelimit-x", b"x-gw-other"]
names = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from(KNOWN).map(lambda name: name + b"s"),
    st.sampled_from(KNOWN).map(lambda name: name[:-1]),
    st.binary(max_size=8),
)
values = st.one_of(
    st.binary(max_size=24),
    st.sampled_from(
        [b"keep-alive", b"Close", b"close, x-gw-tags", b" x-api-key , te", b"12", b" 12", b"9" * 18, b"9" * 19, b"0" * 30,
         b" gzip\t", b"identity", b"text/event-stream; charset=utf-8", b" Text/Event-Streams", b"\x0bk\x0c", mint().text.encode(),
         b"Bearer " + mint().text.encode()]
    ),
)  # fmt: skip
lists = st.lists(st.tuples(names, values), max_size=14)


def shown(found: Any, kind: type) -> dict[str, Any]:
    fields = {name: getattr(found, name) for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]
    return fields | {name: shown(fields[name], pure.Told) for name in ("told",) if name in fields}


@given(headers=lists)
def test_both_read_the_same_of_a_request(headers: pure.Headers) -> None:
    assert shown(compiled.read_request(headers), pure.Sent) == shown(pure.read_request(headers), pure.Sent)


LENGTHS = st.sampled_from([b"0", b"12", b" 12", b"9" * 20, b""])


CHANGES = st.lists(st.tuples(st.integers(0, 14), names, values), max_size=2)


@given(headers=lists, changes=CHANGES, lengths=st.lists(LENGTHS, max_size=3))
def test_what_is_kept_of_a_request_is_only_for_its_like(headers: pure.Headers, changes: Any, lengths: list[bytes]) -> None:
    """The same headers again, with other lengths, and with one of them changed: as if each were the first."""
    sized = [[(b"content-length", size), *headers, (b"content-length", size)][: len(headers) + 1] for size in lengths]
    changed = [[*headers[:at], (name, value), *headers[at + 1 :]] for at, name, value in changes]
    for one in (headers, *sized, *changed, headers, *sized):
        assert shown(compiled.read_request(list(one)), pure.Sent) == shown(pure.read_request(one), pure.Sent)


def test_the_same_headers_tell_the_same_whatever_the_length() -> None:
    def sent(size: bytes, session: bytes) -> Any:
        return compiled.read_request([(b"content-length", size), (b"x-claude-code-session-id", session), (b"a", b"b")])

    first, longer, other = sent(b"1", b"s"), sent(b"300000", b"s"), sent(b"1", b"t")
    assert longer.told is first.told
    assert longer.values is first.values
    assert (longer.content_length, first.content_length) == (300_000, 1)
    assert (other.told.session_id, first.told.session_id) == ("t", "s")


@TWINS
@given(prefix=st.text(max_size=12), serial=st.integers(-1, 2**63 - 1) | st.integers(0, 2**33))
def test_an_id_has_its_number_in_hexadecimal(module: Any, prefix: str, serial: int) -> None:
    if serial >= 0 and prefix.isascii():
        assert module.numbered(prefix, serial) == f"{prefix}{serial:08x}"
    else:
        with pytest.raises(ValueError, match="beginning of an id"):
            module.numbered(prefix, serial)


@given(headers=lists, own=st.booleans())
def test_both_read_the_same_of_an_answer(headers: pure.Headers, own: bool) -> None:
    found = [module.to_client(headers, b"gw_1", own_account=own) for module in (compiled, pure)]
    assert shown(found[0], pure.Answer) == shown(found[1], pure.Answer)


@TWINS
@given(value=st.binary(max_size=40), limit=st.integers(0, 50))
def test_a_value_is_shown_as_the_domain_says(module: Any, value: bytes, limit: int) -> None:
    assert module.text_of(value, limit) == printable(value.decode("latin-1"), limit)


@TWINS
@given(text=st.text(st.characters(), max_size=40), limit=st.integers(0, 50))
def test_a_text_is_shown_as_the_domain_says(module: Any, text: str, limit: int) -> None:
    assert module.shown(text, limit) == printable(text, limit)


@TWINS
def test_the_mark_by_which_virtual_keys_are_kept_back_is_theirs(module: Any) -> None:
    assert PREFIX.encode() == pure.KEY_MARK
    assert module.read_request([(b"authorization", PREFIX.encode())]).credentials == b""


@pytest.mark.parametrize("headers", [[(b"a", "text")], [("name", b"v")], [(b"a", None)], [(b"a", b"b", b"c")], [None]])
def test_what_is_no_header_is_refused(headers: Any) -> None:
    """A pointer into it would be one into anything."""
    with pytest.raises((TypeError, ValueError)):
        compiled.read_request(headers)
    with pytest.raises((TypeError, ValueError)):
        compiled.to_client(headers, b"gw_1", own_account=True)


@TWINS
@given(amount=st.integers(0, 2**63 - 1) | st.integers(0, 10**13), decimals=st.integers(0, 18))
def test_an_amount_is_written_exactly_and_without_trailing_zeros(module: Any, amount: int, decimals: int) -> None:
    text = module.amount_text(amount, decimals).decode()
    assert Decimal(text) == Decimal(amount).scaleb(-decimals)
    assert not (("." in text and text.endswith("0")) or text.endswith("."))
    assert decimals != 12 or text == usd_text(amount)


@TWINS
@pytest.mark.parametrize(("amount", "decimals"), [(-1, 9), (1, -1), (1, 19)])
def test_what_is_no_amount_is_refused(module: Any, amount: int, decimals: int) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        module.amount_text(amount, decimals)


@TWINS
def test_an_amount_beyond_63_bits_overflows(module: Any) -> None:
    with pytest.raises(OverflowError):
        module.amount_text(2**63, 9)


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"a: b\r\n", b"Host: x\r\n", b"hosts: x\r\n", b"Content-Length: 1\r\n", b"content-lengthy: 1\r\n",
             b"CONNECTION:\r\n",
             b"transfer-encodinG: chunked\r\n", b"transfer\rencoding: x\r\n", b"a:\tb\x80\xff\r\n", b": b\r\n", b"a b: c\r\n",
             b"a: b\n", b"a: b\r", b"a: b\r\r\n", b"a: \x00\r\n", b"a: \x7f\r\n", b"\r\n", b"a", b"a:", b"(a: b\r\n"]
        ),
        st.binary(max_size=6),
    ),
    max_size=4,
).map(b"".join)  # fmt: skip


@given(head=LINES)
def test_both_find_the_same_heads_clean(head: bytes) -> None:
    assert compiled.is_clean_head(head) == pure.is_clean_head(head)


@TWINS
def test_every_byte_is_allowed_in_a_name_or_a_value_as_the_rfc_says(module: Any) -> None:
    tokens = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in range(256):
        one = bytes([byte])
        assert module.is_clean_head(b"x" + one + b": y\r\n") == (one in tokens or one == b":")
        assert module.is_clean_head(b"x: y" + one + b"\r\n") == (byte == 9 or (byte >= 32 and byte != 127))


@TWINS
@pytest.mark.parametrize("name", [b"host", b"connection", b"content-length", b"transfer-encoding"])
def test_what_frames_a_message_is_found_in_any_case(module: Any, name: bytes) -> None:
    for one in (name, name.upper(), name.title()):
        assert not module.is_clean_head(b"a: b\r\n" + one + b": 1\r\n")
        assert module.is_clean_head(b"x" + one + b": 1\r\n")
