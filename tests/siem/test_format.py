"""An entry of the audit as RFC 5424 wants it, read back by its grammar."""

import json
import re

from gw.ledger.audit import GENESIS, AuditRow
from gw.siem.format import UDP_BYTES_MAX, batch, datagram, framed, moment, syslog

ROW = AuditRow(7, 1_793_534_400_123_456, 'ann "the \\ boss"]', "api", "update", "team", "red", '{"a":1}', '{"a":2}').after(
    GENESIS
)
FORM = re.compile(
    r'<(\d+)>1 (\S+) (\S+) gw (\d+) audit \[gw@32473((?: [a-z_]+="(?:[^"\\\]]|\\["\\\]])*")+)\] \ufeff(.*)', re.DOTALL
)


def parsed(message: bytes) -> tuple[int, str, str, dict[str, str], dict[str, object]]:
    found = FORM.fullmatch(message.decode())
    assert found is not None, message
    pairs = re.findall(r' ([a-z_]+)="((?:[^"\\\]]|\\["\\\]])*)"', found[5])
    fields = {name: re.sub(r'\\(["\\\]])', r"\1", value) for name, value in pairs}
    return int(found[1]), found[2], found[3], fields, json.loads(found[6])


def test_a_message_has_its_fields_and_the_whole_entry() -> None:
    priority, at, host, fields, told = parsed(syslog(ROW, "gw-1.example.com", 42))
    assert (priority, at, host) == (13 * 8 + 5, "2026-11-01T12:00:00.123456Z", "gw-1.example.com")
    assert fields == {
        "id": "7",
        "actor": 'ann "the \\ boss"]',
        "via": "api",
        "action": "update",
        "kind": "team",
        "name": "red",
        "hash": ROW.hash,
    }
    assert told["before"] == {"a": 1} and told["after"] == {"a": 2} and told["prev_hash"] == GENESIS


def test_a_sign_in_that_failed_is_a_warning() -> None:
    assert parsed(syslog(ROW._replace(action="sign_in_failed"), "h", 1))[0] == 13 * 8 + 4


def test_a_host_that_is_none_does_not_break_the_header() -> None:
    assert parsed(syslog(ROW, "", 1))[2] == "-" and parsed(syslog(ROW, "a b\n", 1))[2] == "a?b?"


def test_a_datagram_that_would_be_too_long_goes_without_before_and_after() -> None:
    long = ROW._replace(after_json=json.dumps({"a": "x" * UDP_BYTES_MAX}))
    assert len(datagram(long, "h", 1)) < UDP_BYTES_MAX and "after" not in parsed(datagram(long, "h", 1))[4]
    assert parsed(datagram(ROW, "h", 1))[4]["after"] == {"a": 2}


def test_a_frame_counts_octets_not_characters() -> None:
    assert framed("ü".encode()) == b"2 \xc3\xbc"


def test_a_batch_is_json_in_order() -> None:
    found = json.loads(batch([ROW, ROW._replace(id=8)]))
    assert found["source"] == "gw" and [one["id"] for one in found["events"]] == [7, 8]
    assert moment(0) == "1970-01-01T00:00:00.000000Z"
