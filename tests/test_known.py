"""What is kept of a session's last call is only for calls that are like it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gw._fast import peek, read_request
from gw.deployment import Deployment
from gw.domain.account import Account
from gw.domain.call import WHO
from gw.settle import Call, columns_of
from gw.snapshot import Snapshot


class Place(Deployment):
    def __init__(self, name: str) -> None:
        self.name = name


class Published(Snapshot):
    def __init__(self, version: int) -> None:
        self.version = version


ACCOUNTS = [Account("id", "key", "team"), Account("id", "key", "other"), Account(credential="digest")]
PLACES = [Place("first"), Place("second"), Place("first")]
SNAPSHOTS = [Published(1), Published(2)]
FIELDS = ("key_id", "key_name", "team", "customer", "credential", "upstream", "session_id")
CALLS = st.lists(
    st.tuples(
        st.sampled_from(ACCOUNTS),
        st.sampled_from([*PLACES, None]),
        st.sampled_from(SNAPSHOTS),
        st.sampled_from(["s", "s2", ""]),
        st.sampled_from(["d", ""]),
        st.sampled_from([b'{"model":"claude-opus-5-5"}', b'{"model":"other"}', None]),
        st.sampled_from([b"p", b"p2"]),
    ),
    max_size=8,
)


def made(account: Any, place: Any, snapshot: Any, session: str, device: str, body: bytes | None, prompt: bytes) -> Call:
    one = Call("gw_1", "messages", snapshot, "0-boot")
    sent = read_request([(b"x-claude-code-prompt-id", prompt), (b"user-agent", b"claude-cli/2 (x)"), (b"x-gw-tags", b"a=1")])
    one.account, one.deployment, one.session_id, one.device, one.told = account, place, session, device, sent.told
    one.peek = peek(body) if body is not None else None
    return one


@given(calls=CALLS)
def test_no_call_has_the_columns_of_another(calls: list[Any]) -> None:
    for one in calls:
        call = made(*one)
        account, place, snapshot, session, device, body, prompt = one
        who = dict(zip(WHO, columns_of(call), strict=True))
        assert [who[name] for name in FIELDS] == [
            account.key_id, account.key_name, account.team, account.customer, account.credential, place.name if place else "",
            session,
        ]  # fmt: skip
        assert (who["device"], who["prompt_id"], who["tags"]) == (device, prompt.decode(), "a=1")
        assert who["requested_model"] == ((peek(body).model or "") if body is not None else "")
        assert columns_of(call) == tuple(who.values())
        if place is None:
            assert call.known is None
            continue
        known = call.known
        assert known is not None
        assert (known.account, known.deployment, known.version) == (account, place, snapshot.version)
        assert known.who == tuple(who.values())


def test_the_next_call_of_a_session_finds_what_the_last_one_found() -> None:
    like = (ACCOUNTS[0], PLACES[0], SNAPSHOTS[0], "s", "d", b'{"model":"claude-opus-5-5"}', b"p")
    first, second, third = made(*like), made(*like), made(*like[:2], SNAPSHOTS[1], *like[3:])
    second.told = third.told = first.told  # as compiled, the same headers tell
    assert columns_of(first) is columns_of(second)
    assert first.known is second.known
    columns_of(third)
    assert third.known is not first.known  # rules, prices and credentials of another snapshot are others
