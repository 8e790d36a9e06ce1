"""The table of bad input: what is sent, what the upstream does, what the client gets, what the row says.

Models decide the upstream (see `test_bad_input.UPSTREAMS`): OPUS a healthy one, TOUCHY one with short timeouts and no
reuse of connections, DOWN a port that nobody listens on, NOWHERE a name that does not resolve, STUCK one that never
accepts, KEYLESS one whose credential is not set, FULL one that allows a single connection.
"""

import gzip
import json
from dataclasses import dataclass

from gw.demo import answers
from gw.demo.exchange import Chunk, Hangup, Pause, Reply, Request, Reset, Script
from tests.flow.client import Pairs
from tests.flow.stage import MODEL as OPUS
from tests.flow.stage import prompt

TOUCHY, DOWN, NOWHERE, STUCK, KEYLESS, FULL = (
    "claude-sonnet-5-5",
    "claude-sonnet-4-6",
    "claude-opus-4-7",
    "claude-haiku-4-5",
    "claude-fable-5-2",
    "claude-opus-4-8",
)
MIB = 1024 * 1024


@dataclass(frozen=True)
class Case:
    """`who`: the credential, by name: own, none, or a key of the test's configuration. `slug`: of gw's refusal; "" if the
    answer is the upstream's own, which must then arrive unmodified. `row`: (outcome, error, usage source, billed?)."""

    name: str
    status: int
    row: tuple[str, str, str, bool] | None  # None: no row
    type: str = ""
    slug: str = ""
    says: str = ""  # what the message must contain
    retry: str = ""  # x-should-retry
    after: str = ""  # retry-after
    who: str = "own"
    body: bytes = prompt()
    headers: Pairs = ()
    method: str = "POST"
    path: str = "/anthropic/v1/messages"
    reply: Reply | Script | None = None
    sent: int = 0  # requests that reached the fake upstream
    ends: tuple[str, str] | None = None  # type and phrase of the error event that ends the stream


def refused(name: str, slug: str, status: int, kind: str, says: str, **more: object) -> Case:
    """gw's own refusal: nothing went upstream, nothing is billed."""
    return Case(name, status, ("refused", slug, "none", False), kind, slug, says, **more)  # type: ignore[arg-type]


def bad_body(name: str, slug: str, body: bytes, says: str, status: int = 400, **more: object) -> Case:
    return refused(name, slug, status, "invalid_request_error", says, body=body, **more)


def bad_key(name: str, slug: str, who: str, says: str) -> Case:
    return refused(name, slug, 401, "authentication_error", says, who=who, retry="false")


def doubled(first: str, second: str) -> bytes:
    return f'{{"model":"{OPUS}","messages":[],{first},"x":1,{second}}}'.encode()


def nameless(body: dict[str, object]) -> bytes:
    return json.dumps({"max_tokens": 5, "messages": [], **body}).encode()


REQUESTS = [
    bad_body("not JSON", "invalid_json", b"hello", "JSON"),
    bad_body("empty body", "invalid_json", b"", "JSON"),
    bad_body("array", "invalid_json", b"[1]", "not a JSON object"),
    bad_body("cut short", "invalid_json", prompt()[:-1], "not valid JSON"),
    bad_body("trailing data", "invalid_json", prompt() + b"{}", "after its JSON object"),
    bad_body("not UTF-8", "invalid_json", b'{"model":"\xff"}', "not valid JSON"),
    bad_body("two models", "duplicate_key", doubled('"model":"a"', '"y":2'), '"model" twice'),
    bad_body("an escaped second model", "duplicate_key", doubled('"mod\\u0065l":"a"', '"y":2'), '"model" twice'),
    bad_body("two streams", "duplicate_key", doubled('"stream":true', '"stream":false'), '"stream" twice'),
    bad_body("two max_tokens", "duplicate_key", doubled('"max_tokens":1', '"max_tokens":1'), '"max_tokens" twice'),
    bad_body("no model", "invalid_field", nameless({}), '"model" is missing'),
    bad_body("a model that is no string", "invalid_field", nameless({"model": 5}), '"model" must be'),
    bad_body("an empty model", "invalid_field", nameless({"model": ""}), '"model" must be'),
    bad_body("an endless model", "invalid_field", nameless({"model": "m" * 257}), "longer than 256"),
    bad_body("a stream that is no bool", "invalid_field", nameless({"model": OPUS, "stream": "yes"}), '"stream" must be'),
    bad_body("an unknown encoding", "unsupported_encoding", prompt(), "gzip", 415, headers=[("content-encoding", "br")]),
    bad_body("two encodings", "unsupported_encoding", prompt(), "gzip", 415, headers=[("content-encoding", "gzip, gzip")]),
    bad_body("gzip that is none", "invalid_json", prompt(), "Content-Encoding", headers=[("content-encoding", "gzip")]),
    bad_body("gzip cut short", "invalid_json", gzip.compress(prompt())[:-9], "cut short", headers=[("content-encoding", "gzip")]),
    refused(
        "a gzip bomb",
        "body_too_large",
        413,
        "request_too_large",
        "/compact",
        body=gzip.compress(bytes(65 * MIB), 1),
        headers=[("content-encoding", "gzip")],
    ),
    bad_body("count_tokens without a model", "invalid_field", nameless({}), "missing", path="/v1/messages/count_tokens"),
    Case("wrong path", 404, None, "not_found_error", "unknown_path", "ANTHROPIC_BASE_URL", path="/v1/complete"),
    Case("wrong prefix", 404, None, "not_found_error", "unknown_path", "/anthropic", path="/elsewhere/v1/messages"),
    Case("wrong method", 405, None, "invalid_request_error", "method_not_allowed", "DELETE", method="DELETE"),
    Case("GET of messages", 405, None, "invalid_request_error", "method_not_allowed", "GET", method="GET", body=b""),
]

KEYS = [
    bad_key("no key", "missing_credential", "none", "ANTHROPIC_AUTH_TOKEN"),
    bad_key("malformed key", "malformed_key", "malformed", "Copy it again"),
    bad_key("key with a wrong checksum", "malformed_key", "mistyped", "Copy it again"),
    bad_key("unknown key", "unknown_key", "unknown", "belongs to this gateway"),
    bad_key("key revoked in the configuration", "revoked_key", "gone", "administrator"),
    bad_key("key revoked in the database", "revoked_key", "revoked", "administrator"),
    bad_key("expired key", "expired_key", "late", "administrator"),
    refused("model not allowed", "model_not_allowed", 400, "policy_blocked", "claude-haiku-*", who="narrow", retry="false"),
    refused("upstream not allowed", "upstream_not_allowed", 400, "policy_blocked", "fake", who="elsewhere", retry="false"),
    refused("no route", "no_route", 404, "not_found_error", OPUS, body=prompt(model="gpt-9")),
    refused(
        "a model without a price",
        "model_unpriced",
        400,
        "policy_blocked",
        "/model",
        who="ada",
        body=prompt(model="mystery-1"),
        retry="false",
    ),
    refused(
        "an upstream without a credential",
        "upstream_no_credential",
        502,
        "api_error",
        "GW_TEST_NOT_SET",
        who="ada",
        body=prompt(model=KEYLESS),
        retry="false",
    ),
]


def failing(name: str, slug: str, status: int, kind: str, says: str, model: str, *, billed: bool = False, **more: object) -> Case:
    """The upstream fails before its answer begins."""
    outcome = "timed_out" if slug.endswith("timeout") else "upstream_error"
    row = (outcome, slug, "estimated" if billed else "none", billed)
    stream = bool(more.pop("stream", True))
    return Case(name, status, row, kind, slug, says, body=prompt(model=model, stream=stream), **more)  # type: ignore[arg-type]


def breaking(
    name: str, outcome: str, error: str, source: str, reply: Script, *, ends: tuple[str, str] | None, **more: object
) -> Case:
    """The upstream's stream goes wrong after its headers: status 200, billed as observed."""
    model = str(more.pop("model", TOUCHY))
    return Case(name, 200, (outcome, error, source, True), reply=reply, sent=1, ends=ends, body=prompt(model=model), **more)  # type: ignore[arg-type]


def after(chunks: int, *then: Pause | Reset | Hangup | Chunk) -> Script:
    """A stream of 20 deltas that goes on as told after its first chunks; they are given time to arrive."""

    def script(request: Request) -> Reply:
        full = answers.message(request, [answers.text("word " * 96)])
        cut = answers.until(full, chunks, Pause(0.05))
        return answers.with_steps(cut, [*cut.steps, *then])

    return script


def truncated(request: Request) -> Reply:
    """Everything but the last two events, and a clean end."""
    full = answers.message(request, [answers.text("word " * 96)])
    return answers.with_steps(full, full.steps[:-2])


OVERLOADED = answers.event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "too much"}})
HTML = b"<html><title>Sign in</title></html>"
HTML_HEAD = (("content-type", "text/html"),)

FAILURES = [
    failing("upstream down", "upstream_unreachable", 503, "api_error", "administrator", DOWN, after="5"),
    failing("upstream with no address", "upstream_unreachable", 503, "api_error", '"nowhere"', NOWHERE, after="5"),
    failing("upstream that never accepts", "upstream_connect_timeout", 504, "timeout_error", "no connection", STUCK),
    failing(
        "slow to the first byte",
        "upstream_first_byte_timeout",
        504,
        "timeout_error",
        "in time",
        TOUCHY,
        billed=True,
        reply=Reply(headers_after=3.0),
        sent=1,
    ),
    failing(
        "reset before headers",
        "upstream_reset",
        502,
        "api_error",
        "closed",
        TOUCHY,
        reply=Reply(status=0, steps=(Reset(),)),
        sent=1,
    ),
    failing(
        "closed before headers",
        "upstream_reset",
        502,
        "api_error",
        "closed",
        TOUCHY,
        reply=Reply(status=0, steps=(Hangup(),)),
        sent=1,
    ),
    failing(
        "not HTTP",
        "upstream_protocol",
        502,
        "api_error",
        "not HTTP",
        TOUCHY,
        reply=Reply(status=0, framing="close", steps=(Chunk(b"SSH-2.0-OpenSSH_9\r\n"),)),
        sent=1,
    ),
    failing(
        "a whole answer reset in its middle",
        "upstream_reset",
        502,
        "api_error",
        "in the middle",
        TOUCHY,
        stream=False,
        billed=True,
        reply=Reply(
            steps=(Chunk(b'{"type":"mess'), Pause(0.05), Reset(), Chunk(b"age")), headers=(("content-type", "application/json"),)
        ),
        sent=1,
    ),
    breaking(
        "idle in mid-stream", "timed_out", "upstream_idle_timeout", "observed", after(6, Pause(3.0)), ends=("api_error", "silent")
    ),
    breaking(
        "idle before the first event",
        "timed_out",
        "upstream_idle_timeout",
        "estimated",
        after(0, Pause(3.0)),
        ends=("api_error", "silent"),
    ),
    breaking(
        "reset in mid-stream", "upstream_error", "upstream_reset", "observed", after(6, Reset()), ends=("api_error", "middle")
    ),
    breaking(
        "hang-up in mid-stream", "upstream_error", "upstream_reset", "observed", after(6, Hangup()), ends=("api_error", "middle")
    ),
    breaking(
        "reset in mid-event",
        "upstream_error",
        "upstream_reset",
        "observed",
        after(6, Chunk(b"event: content_block_delta\ndata: {"), Pause(0.05), Reset()),
        ends=("api_error", "middle"),
    ),
    breaking("clean end without message_stop", "upstream_error", "upstream_truncated", "observed", truncated, ends=None),
    breaking("error event", "upstream_error", "upstream_overloaded_error", "observed", after(6, Chunk(OVERLOADED)), ends=None),
    Case(
        "HTML with 200", 200, ("upstream_error", "upstream_garbled", "none", False), reply=answers.whole(HTML, HTML_HEAD), sent=1
    ),
    Case(
        "HTML with 502", 502, ("upstream_error", "upstream_502", "none", False), reply=answers.whole(HTML, HTML_HEAD, 502), sent=1
    ),
]

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    529: "overloaded_error",
}


def upstream_errors() -> list[Case]:
    """Each status with the client's own credential and behind a virtual key: unmodified, but for gw's own credential."""
    cases = []
    for status, kind in ERRORS.items():
        for who in ("own", "ada"):
            name = f"upstream {status} with {who}"
            reply = answers.error(status, kind, f"the upstream says {status}", (("retry-after", "7"),) if status == 429 else ())
            if who == "ada" and status in (401, 403):
                slug = "upstream_credential_refused"
                row = ("upstream_error", slug, "none", False)
                says = f"{status} {kind}: the upstream says {status}"
                cases.append(Case(name, 502, row, "api_error", slug, says, "false", who=who, reply=reply, sent=1))
            else:
                row = ("upstream_error", f"upstream_{kind}", "none", False)
                cases.append(Case(name, status, row, kind, who=who, reply=reply, sent=1, after="7" if status == 429 else ""))
    return cases


CASES = [*REQUESTS, *KEYS, *FAILURES, *upstream_errors()]
