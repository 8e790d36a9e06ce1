"""Channels as they are: web hooks that fail in every way, and a mail server. What they get, and what is said of them."""

import asyncio
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from gw import clock
from gw.alerts import deliver as room
from gw.alerts.deliver import backoff_us, deliver
from gw.alerts.notice import Notice
from gw.alerts.render import slack
from gw.config.alert_model import Notify
from gw.config.secret import Secret
from gw.domain.signing import SIGNATURE, is_signed
from tests.alerts.certificate import TlsFiles
from tests.alerts.sinks import mail_server, web

NOW = 1_793_534_400_000_000
NOTICE = Notice(
    id="7-firing-8000-1",
    event="firing",
    rule="budgets",
    kind="budget_threshold",
    severity="warning",
    subject="budget:platform:team:platform",
    title='Team "platform" has spent 83 % of its monthly budget: $83.00 of $100.00, until Dec 1 00:00 UTC',
    facts=(("Budget", "platform (hard, monthly)"), ("Spent", "$83.00 of $100.00 <script>&")),
    advice="At the limit its calls are refused. To let them go on: gw budget increase platform.",
    at_us=NOW,
    since_us=NOW,
    alert_id=7,
    dedup="gw-abc",
    link="https://gw.example.com/api/alerts/history?rule=budgets",
)
RESOLVED = Notice(
    **{**{name: getattr(NOTICE, name) for name in NOTICE.__struct_fields__}, "event": "resolved", "title": "It is over"}
)


def test_what_clients_have_named_calls_nobody_on_slack() -> None:
    """The line for notifications is read as markup by Slack, too."""
    hostile = "<!channel> <https://evil.example|Open in gw> &lt;"
    said = slack(replace(NOTICE, title=f'The model "{hostile}" has no price', facts=((hostile, hostile),), advice=hostile))
    texts = [said["text"]]
    for block in said["blocks"]:
        texts += [one["text"] for one in (block.get("text"), *block.get("fields", ()), *(block.get("elements") or ())) if one]
        assert all(one["verbatim"] for one in (block.get("text"), *block.get("fields", ())) if one)
    told = [text for text in texts if isinstance(text, str)]
    assert len(told) >= 4 and not any("<" in text for text in told)


def channel(kind: str, url: str, **more: object) -> Notify:
    return Notify(name="c", kind=kind, url=Secret("env:URL", url), **more)  # type: ignore[arg-type]


async def test_a_webhook_gets_json_signed_over_its_bytes() -> None:
    async with web() as server:
        hook = channel(
            "webhook", server.url(), secret=Secret("env:S", "shared"), headers={"authorization": Secret("env:T", "Bearer t")}
        )
        assert (await deliver(hook, NOTICE)).ok
        (got,) = server.got
    assert is_signed(got.headers[SIGNATURE], got.body, "shared", clock.wall_us() // 10**6)
    assert not is_signed(got.headers[SIGNATURE], got.body + b" ", "shared", clock.wall_us() // 10**6)
    assert not is_signed(got.headers[SIGNATURE], got.body, "other", clock.wall_us() // 10**6)
    assert not is_signed(got.headers[SIGNATURE], got.body, "shared", clock.wall_us() // 10**6 + 301), "it is too old"
    assert got.headers["idempotency-key"] == NOTICE.id and got.headers["authorization"] == "Bearer t"
    assert got.json["alert"] == {
        "id": 7,
        "rule": "budgets",
        "kind": "budget_threshold",
        "severity": "warning",
        "subject": "budget:platform:team:platform",
        "dedup_key": "gw-abc",
        "since": "2026-11-01T12:00:00Z",
    }
    assert got.json["facts"][1] == {"label": "Spent", "value": "$83.00 of $100.00 <script>&"}


DEEDS = [
    ("200", True, False, "HTTP 200: ok"),
    ("204", True, False, "HTTP 204"),
    ("500", False, True, "HTTP 500: no thanks"),
    ("503", False, True, "HTTP 503"),
    ("429 7", False, True, "HTTP 429"),
    ("400", False, False, "HTTP 400: no thanks"),
    ("404", False, False, "HTTP 404"),
    ("redirect", False, False, "not followed"),
    ("reset", False, True, "Error"),
    ("silent", False, True, "Timeout"),
]


@pytest.mark.parametrize(("deed", "ok", "again", "said"), DEEDS, ids=[deed for deed, *_ in DEEDS])
async def test_what_a_channel_does_decides_whether_it_is_asked_again(
    deed: str, ok: bool, again: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "TIMEOUT_S", 0.3 if deed == "silent" else 20)
    async with web(deed) as server:
        found = await deliver(channel("webhook", server.url("/secret-path")), NOTICE)
    assert (found.ok, found.again) == (ok, again) and said in found.said, found
    assert "secret-path" not in found.said
    assert found.after_s == (7 if deed == "429 7" else 0)


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async with web("endless") as server, asyncio.timeout(20):
        assert (await deliver(channel("webhook", server.url()), NOTICE)).ok


async def test_nobody_there_is_tried_again() -> None:
    found = await deliver(channel("webhook", "http://127.0.0.1:1/x"), NOTICE)
    assert (found.ok, found.again) == (False, True)


async def test_slack_gets_blocks_that_name_what_to_do() -> None:
    async with web() as server:
        assert (await deliver(channel("slack", server.url()), NOTICE)).ok
        got = server.got[0].json
    assert got["text"] == NOTICE.title
    kinds = [block["type"] for block in got["blocks"]]
    assert kinds == ["section", "section", "section", "actions", "context"]
    assert got["blocks"][1]["fields"][1]["text"] == "*Spent*\n$83.00 of $100.00 &lt;script&gt;&amp;"
    assert got["blocks"][2]["text"]["text"] == NOTICE.advice
    assert got["blocks"][3]["elements"][0]["url"] == NOTICE.link


async def test_pagerduty_is_triggered_and_resolved_under_one_key() -> None:
    async with web("202", "202") as server:
        duty = channel("pagerduty", server.url(), secret=Secret("env:K", "routing"))
        assert (await deliver(duty, NOTICE)).ok and (await deliver(duty, RESOLVED)).ok
        first, second = (one.json for one in server.got)
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"] == "gw-abc" and first["routing_key"] == "routing"
    assert first["payload"]["severity"] == "warning" and first["payload"]["summary"] == NOTICE.title
    assert first["payload"]["custom_details"]["Spent"].startswith("$83.00")


async def test_a_mail_says_it_in_the_subject_and_in_both_forms(tmp_path: Path) -> None:
    async with mail_server() as (mails, port):
        mail = channel(
            "email", f"smtp://127.0.0.1:{port}", to="a@example.com, b@example.com", from_="gw@example.com", starttls=False
        )
        found = await deliver(mail, NOTICE)
    assert found == (True, False, "taken for 2 recipients", 0)
    (message,) = mails.got
    assert mails.to == [["a@example.com", "b@example.com"]]
    assert message["subject"] == f"[gw] {NOTICE.title}"
    assert message["message-id"] == "<7-firing-8000-1@example.com>" and message["references"] == "<gw-abc@example.com>"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and html is not None
    assert "Spent:  $83.00 of $100.00 <script>&" in text.get_content() and NOTICE.advice in text.get_content()
    assert "&lt;script&gt;&amp;" in html.get_content() and "<script>" not in html.get_content()


MAIL_ANSWERS = [("450 later", True, "450"), ("550 no such user", False, "550"), ("", True, "taken")]


@pytest.mark.parametrize(("refusal", "again", "said"), MAIL_ANSWERS)
async def test_a_mail_server_decides_whether_it_is_asked_again(refusal: str, again: bool, said: str) -> None:
    async with mail_server() as (mails, port):
        mails.refuse = [refusal] if refusal else []
        mail = channel("email", f"smtp://127.0.0.1:{port}", to="a@example.com", from_="gw@example.com", starttls=False)
        found = await deliver(mail, NOTICE)
    assert said in found.said and found.ok == (not refusal)
    assert found.again == (again and bool(refusal))


async def test_a_mail_that_was_taken_is_sent_once_whatever_the_server_says_to_the_farewell() -> None:
    async with mail_server() as (mails, port):
        mails.farewell = "421 too many connections"
        mail = channel("email", f"smtp://127.0.0.1:{port}", to="a@example.com", from_="gw@example.com", starttls=False)
        found = await deliver(mail, NOTICE)
    assert found.ok and not found.again and len(mails.got) == 1


async def test_starttls_is_demanded_where_it_is_configured() -> None:
    async with mail_server() as (mails, port):
        mail = channel("email", f"smtp://127.0.0.1:{port}", to="a@example.com", from_="gw@example.com")
        found = await deliver(mail, NOTICE)
    assert not found.ok and not found.again and "STARTTLS" in found.said and not mails.got


async def test_no_secret_is_in_what_is_said_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with web("200", "500") as server:
        hook = channel("webhook", server.url("/top-secret"), secret=Secret("env:S", "shared-key"))
        texts = [repr(hook), *[(await deliver(hook, NOTICE)).said for _ in range(2)]]
    nobody = channel("webhook", "http://127.0.0.1:1/top-secret")
    texts += [(await deliver(nobody, NOTICE)).said, caplog.text]
    assert not [text for text in texts if "top-secret" in text or "shared-key" in text]


def test_pauses_grow_to_a_quarter_of_an_hour_and_heed_what_is_asked() -> None:
    pauses = [backoff_us(attempt, chance=lambda: 0.0) // 10**6 for attempt in range(10)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert backoff_us(0, chance=lambda: 1.0) == pytest.approx(5e6 * 2 / 3, abs=2)
    assert backoff_us(0, 120, chance=lambda: 0.0) == 120 * 10**6
    assert backoff_us(0, 10**9) == 3600 * 10**6, "nobody stops us for days"


@pytest.mark.parametrize(("password", "ok"), [("secret", True), ("wrong", False)])
async def test_a_mail_server_with_starttls_and_a_password(tls_files: TlsFiles, password: str, ok: bool) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_files.certificate, tls_files.key)
    async with mail_server(tls=context, auth=True) as (mails, port):
        mail = channel(
            "email",
            f"smtp://127.0.0.1:{port}",
            to="a@example.com",
            from_="gw@example.com",
            user="gw",
            secret=Secret("env:P", password),
            ca_file=str(tls_files.certificate),
        )
        found = await deliver(mail, NOTICE)
    assert found.ok is ok and mails.users[0] == "gw" and len(mails.got) == ok
    assert ok or (not found.again and "535" in found.said), found
