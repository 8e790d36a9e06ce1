"""The pure twin of heads.pyx."""

import re
from dataclasses import dataclass, field
from typing import Any

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
KEY_MARK = b"gwk_"
NOT_CLIENT = HOP_BY_HOP | {b"request-id", b"content-length", b"date", b"server"}
OF_THE_ACCOUNT = (b"anthropic-organization-id", b"set-cookie")
PLAIN_CONNECTION = (b"keep-alive", b"close")
LENGTH_MAX = 2**63 - 1
DIGITS_MAX = 18
TAGS_MAX = 512
TOLD = (
    b"x-claude-code-session-id", b"x-claude-code-agent-id", b"x-claude-code-parent-agent-id", b"x-claude-code-prompt-id",
    b"x-gw-project",
)  # fmt: skip
# Token, colon, no control but TAB, CRLF; repeated.
CLEAN = re.compile(
    rb"(?>(?!(?i:host|content-length|connection|transfer-encoding):)"
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\x00-\x08\x0a-\x1f\x7f]*+\r\n)*+"
)

DROP, TELL, OWN, API_KEY, AUTHORIZATION, GW_KEY, LENGTH, ENCODING, CONNECTION = range(9)

ROLES: dict[bytes, int] = {
    **dict.fromkeys(HOP_BY_HOP | {b"host", b"accept-encoding", b"expect"}, DROP),
    b"connection": CONNECTION,
    b"content-length": LENGTH,
    b"content-encoding": ENCODING,
    b"x-api-key": API_KEY,
    b"authorization": AUTHORIZATION,
    b"x-gw-key": GW_KEY,
    b"x-gw-project": OWN,
    b"x-gw-tags": OWN,
    b"x-gw-timing": OWN,
    b"user-agent": TELL,
    b"x-claude-code-session-id": TELL,
    b"x-claude-code-agent-id": TELL,
    b"x-claude-code-parent-agent-id": TELL,
    b"x-claude-code-prompt-id": TELL,
    b"traceparent": TELL,
}


@dataclass
class Told:
    session_id: str = ""
    agent_id: str = ""
    parent_agent_id: str = ""
    prompt_id: str = ""
    project: str = ""
    tags: str = ""
    client: str = ""
    known: Any = field(default=None, compare=False)


@dataclass
class Sent:
    head: bytes = b""
    credentials: bytes = b""
    gw_key: bytes = b""
    api_key: bytes = b""
    authorization: bytes = b""
    content_encoding: bytes = b""
    content_length: int = -1
    values: dict[bytes, bytes] = field(default_factory=dict)
    told: Told = field(default_factory=Told)


@dataclass
class Answer:
    headers: Headers
    request_id: str = ""
    content_type: bytes = b""
    encoding: bytes = b""
    streams: bool = False


def read_request(headers: Headers) -> Sent:
    sent = Sent()
    for name, value in headers:
        role = ROLES.get(name)
        line = name + b": " + value + b"\r\n"
        if role in (TELL, ENCODING) or (role is None and not name.startswith(b"x-gw-")):
            sent.head += line
        if role in (TELL, OWN):
            sent.values[name] = value
        elif role == LENGTH and value.isdigit():
            sent.content_length = int(value) if len(value) <= DIGITS_MAX else LENGTH_MAX
        elif role == LENGTH:
            sent.content_length = -1
        elif role == ENCODING:
            sent.content_encoding += (b"," if sent.content_encoding else b"") + value.strip().lower()
        elif role == GW_KEY:
            sent.gw_key = value.strip()
        elif role in (API_KEY, AUTHORIZATION):
            sent.credentials += b"" if KEY_MARK in value else line
            if role == API_KEY:
                sent.api_key = value.strip()
            else:
                sent.authorization = value.strip()
        elif role == CONNECTION and value.lower() not in PLAIN_CONNECTION:
            return read_request(_without_named(headers))
    sent.head += b"accept-encoding: identity\r\n"
    sent.told = told_by(sent.values)
    return sent


def told_by(values: dict[bytes, bytes]) -> Told:
    session, agent, parent, prompt, project = (text_of(values.get(name, b"")) for name in TOLD)
    tags, client = text_of(values.get(b"x-gw-tags", b""), TAGS_MAX), word_of(values.get(b"user-agent", b""))
    return Told(session, agent, parent, prompt, project, tags, client)


def _without_named(headers: Headers) -> Headers:
    gone = {b"connection"}
    for name, value in headers:
        if name == b"connection":
            gone |= {token.strip().lower() for token in value.split(b",")}
    return [item for item in headers if item[0] not in gone]


def to_client(upstream: Headers, call_id: bytes, own_account: bool) -> Answer:
    answer = Answer([(b"request-id", call_id), (b"x-gw-call-id", call_id)])
    request_id = b""
    for name, value in upstream:
        if name == b"request-id":
            request_id = value
        elif name == b"connection" and value.lower() not in PLAIN_CONNECTION:
            return to_client(_without_named(upstream), call_id, own_account)
        if name in NOT_CLIENT or name.startswith(b"x-gw-"):
            continue
        if not own_account and (name in OF_THE_ACCOUNT or name.startswith(b"anthropic-ratelimit-")):
            continue
        if name == b"content-type":
            answer.content_type = value.strip().lower()
        elif name == b"content-encoding":
            answer.encoding = value.strip().lower()
        answer.headers.append((name, value))
    if request_id:
        answer.headers.append((b"x-gw-upstream-request-id", request_id))
    answer.request_id = text_of(request_id)
    answer.encoding = b"" if answer.encoding == b"identity" else answer.encoding
    answer.streams = answer.content_type.startswith(b"text/event-stream")
    return answer


def text_of(value: bytes, limit: int = 128) -> str:
    return shown(value.decode("latin-1"), limit)


def word_of(value: bytes) -> str:
    return text_of(value.split(b" ", 1)[0])


def shown(text: str, limit: int) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:limit])


def numbered(prefix: str, serial: int) -> str:
    if serial < 0 or not prefix.isascii():
        raise ValueError(f"not the beginning of an id, or no number: {prefix!r}, {serial}")
    return f"{prefix}{serial:08x}"


def is_clean_head(head: bytes) -> bool:
    return CLEAN.fullmatch(head) is not None


def amount_text(amount: int, decimals: int) -> bytes:
    if amount >> 63 not in (0, -1):
        raise OverflowError("an amount has 63 bits")
    if amount < 0 or not 0 <= decimals <= 18:
        raise ValueError(f"not an amount with decimals: {amount}, {decimals}")
    whole, part = divmod(amount, 10**decimals)
    return b"%d.%b" % (whole, str(part).zfill(decimals).rstrip("0").encode()) if part else b"%d" % whole
