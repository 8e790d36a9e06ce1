"""Operations on the session of a browser: sign in, who am I, sign out."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from gw import __version__, clock
from gw.control.http_answer import NO_STORE, Answer, Ask, json_answer
from gw.control.http_body import json_object
from gw.control.http_items import Desk
from gw.control.http_schema import Schema, closed
from gw.control.http_shapes import Moment, moment
from gw.control.problem import Problem, invalid
from gw.control.session import begun, set_cookie
from gw.domain.account import Account
from gw.domain.key import digest
from gw.ops.admin_token import VIRTUAL_KEY_PREFIX

TOKEN_CHARS_MAX = 1024
TOKEN: Schema = {"type": "string", "minLength": 1, "maxLength": TOKEN_CHARS_MAX, "description": "Admin token or virtual key."}
SESSION_NEW: Schema = closed({"token": TOKEN}, ["token"])


class SignedIn(Struct, frozen=True):
    """Who the browser's session belongs to. A virtual key's sees only what is its own."""

    role: Literal["admin", "key"]
    key: str
    key_id: str
    team: str
    customer: str
    csrf: Annotated[str, Meta(description="To be sent as `x-gw-csrf` with whatever changes something.")]
    expires_at: Moment | None
    version: str
    searches: Annotated[bool, Meta(description="Conversations are kept, and `content` finds calls of the log by what was said.")]


def sign_in(desk: Desk, ask: Ask) -> Answer:
    token = _token(ask.body)
    if token.startswith(VIRTUAL_KEY_PREFIX):
        account: Account | None = desk.guard.key_holder(token, ask.client.address, clock.mono_ns(), desk.host)
        session = begun(ask.now_us, digest(token, desk.host.snapshot.pepper))
    else:
        desk.guard.check_token(token, ask.client.address, clock.mono_ns())
        account, session = None, begun(ask.now_us)
    seal = desk.guard.seal(desk.host)
    cookie = set_cookie(seal.close(session), secure=ask.client.secure)
    return _answer(desk, account, seal.csrf(session), session.expires_us, {"set-cookie": cookie})


def _token(body: bytes) -> str:
    values = json_object(body)
    token = values.get("token")
    if unknown := next((name for name in values if name != "token"), ""):
        raise invalid("body", unknown[:80], "unknown field; known here: token")
    if not isinstance(token, str) or not 0 < len(token.strip()) <= TOKEN_CHARS_MAX:
        raise invalid("body", "token", f"is required: a text of 1 to {TOKEN_CHARS_MAX} characters")
    return token.strip()


def signed_in(desk: Desk, ask: Ask) -> Answer:
    session = ask.client.session
    if ask.principal is None:
        raise Problem("signed_out")
    csrf = desk.guard.seal(desk.host).csrf(session) if session is not None else ""
    return _answer(desk, ask.principal.account, csrf, session.expires_us if session is not None else 0, {})


def sign_out(desk: Desk, ask: Ask) -> Answer:
    return Answer(204, headers={**NO_STORE, "set-cookie": set_cookie("", secure=ask.client.secure, seconds=0)})


def _answer(desk: Desk, account: Account | None, csrf: str, expires_us: int, headers: dict[str, str]) -> Answer:
    content = desk.host.snapshot.config.content
    found = SignedIn(
        role="admin" if account is None else "key",
        key=account.key_name if account else "",
        key_id=account.key_id if account else "",
        team=account.team if account else "",
        customer=account.customer if account else "",
        csrf=csrf,
        expires_at=moment(expires_us) if expires_us else None,
        version=__version__,
        searches=content.store != "none" and content.searches,
    )
    return json_answer(msgspec.to_builtins(found), headers={**NO_STORE, **headers})
