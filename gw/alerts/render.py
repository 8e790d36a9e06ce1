"""One notice as each channel wants it. Pure.

webhook     JSON of its own, signed as gw/domain/signing.py says
slack       blocks: header, sentence, facts in two columns, advice; and text for notifications
email       subject, text and HTML of the same words
pagerduty   Events API v2: trigger and resolve with one dedup_key
"""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any

import msgspec

from gw.alerts.notice import Notice, iso, lines_of, moment_text
from gw.domain.text import printable

SLACK_TEXT_MAX = 2900  # of one section; Slack takes 3000
SLACK_FIELDS_MAX = 10
SUMMARY_MAX = 1000  # PagerDuty takes 1024
SUBJECT_CHARS_MAX = 200
_SLACK_MARK = {"firing": ":rotating_light:", "escalated": ":rotating_light:", "resolved": ":white_check_mark:", "test": ":wave:"}
_WORD = {"firing": "", "escalated": "", "resolved": "Resolved: ", "test": "Test: "}
_COLOUR = {"info": "#2f6fab", "warning": "#b7791f", "critical": "#c53030"}


def headline(notice: Notice) -> str:
    """One line: what kind of message, and its sentence."""
    return f"{_WORD[notice.event]}{notice.title}"


def webhook(notice: Notice) -> bytes:
    return msgspec.json.encode(
        {
            "id": notice.id,
            "event": notice.event,
            "alert": {
                "id": notice.alert_id,
                "rule": notice.rule,
                "kind": notice.kind,
                "severity": notice.severity,
                "subject": notice.subject,
                "dedup_key": notice.dedup,
                "since": iso(notice.since_us),
            },
            "at": iso(notice.at_us),
            "title": notice.title,
            "facts": [{"label": label, "value": value} for label, value in notice.facts],
            "advice": notice.advice,
            "link": notice.link or None,
        }
    )


def slack(notice: Notice) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [_section(f"{_SLACK_MARK[notice.event]} *{_slack(headline(notice))}*")]
    if notice.facts:
        fields = [f"*{_slack(label)}*\n{_slack(value)}"[:1900] for label, value in notice.facts[:SLACK_FIELDS_MAX]]
        blocks.append({"type": "section", "fields": [_marked(text) for text in fields]})
    if notice.advice:
        blocks.append(_section(_slack(notice.advice)))
    if notice.link:
        button = {"type": "button", "text": {"type": "plain_text", "text": "Open in gw"}, "url": notice.link}
        blocks.append({"type": "actions", "elements": [button]})
    said = f"gw alert _{_slack(notice.rule)}_ ({notice.severity}), {moment_text(notice.at_us)}"
    blocks.append({"type": "context", "elements": [_marked(said)]})
    return {"text": _slack(printable(headline(notice), SUMMARY_MAX)), "blocks": blocks}


def pagerduty(notice: Notice, routing_key: str) -> dict[str, Any]:
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if notice.event == "resolved" else "trigger",
        "dedup_key": notice.dedup,
    }
    if notice.event == "resolved":
        return event
    event["payload"] = {
        "summary": headline(notice)[:SUMMARY_MAX],
        "source": "gw",
        "severity": "info" if notice.event == "test" else notice.severity,
        "timestamp": iso(notice.at_us),
        "component": notice.subject[:255],
        "group": notice.rule,
        "class": notice.kind,
        "custom_details": {**dict(notice.facts), "What to do": notice.advice},
    }
    if notice.link:
        event["links"] = [{"href": notice.link, "text": "Open in gw"}]
    return event


def email(notice: Notice, sender: str, recipients: list[str]) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"[gw] {printable(headline(notice), SUBJECT_CHARS_MAX)}"
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(_moment(notice.at_us))
    host = sender.rpartition("@")[2].strip("> ") or "gw"
    message["Message-ID"] = f"<{notice.id}@{host}>"
    thread = f"<{notice.dedup}@{host}>"
    message["References"] = message["In-Reply-To"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message["X-Gw-Alert"] = printable(notice.rule, 80)
    message.set_content(_text(notice))
    message.add_alternative(_html(notice), subtype="html")
    return message


def _text(notice: Notice) -> str:
    parts = [f"{headline(notice)}."]
    if notice.facts:
        parts.append(lines_of(notice.facts))
    parts += [notice.advice, notice.link]
    parts.append(f'-- \nAlert "{notice.rule}" ({notice.severity}) of gw, {moment_text(notice.at_us)}')
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(notice: Notice) -> str:
    colour = "#2f855a" if notice.event == "resolved" else _COLOUR[notice.severity]
    rows = "".join(
        f'<tr><td style="padding:4px 16px 4px 0;color:#666;vertical-align:top;white-space:nowrap">{escape(label)}</td>'
        f'<td style="padding:4px 0">{escape(value)}</td></tr>'
        for label, value in notice.facts
    )
    facts = f'<table style="border-collapse:collapse;margin:16px 0">{rows}</table>' if rows else ""
    advice = f"<p>{escape(notice.advice)}</p>" if notice.advice else ""
    link = f'<p><a href="{escape(notice.link, quote=True)}">Open in gw</a></p>' if notice.link else ""
    return (
        '<!doctype html><html><body style="font:15px/1.5 system-ui,sans-serif;color:#222;max-width:640px">'
        f'<p style="border-left:4px solid {colour};padding-left:12px;font-size:17px;font-weight:600">'
        f"{escape(headline(notice))}.</p>"
        f"{facts}{advice}{link}"
        f'<p style="color:#888;font-size:13px">Alert “{escape(notice.rule)}” ({notice.severity}) of gw, '
        f"{escape(moment_text(notice.at_us))}</p></body></html>\n"
    )


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _marked(text[:SLACK_TEXT_MAX])}


def _marked(text: str) -> dict[str, Any]:
    """`verbatim`: what clients have named becomes no link and calls nobody."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _slack(text: str) -> str:
    """Slack's three, without which nobody can be called and no link be made; `*` and the like stay as they are: names hold them
    seldom, and a fat name does no harm."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)
