"""What `gw export` and `gw chargeback` take out of the ledger stands in the audit."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from gw.cli import main
from gw.ledger.audit import AuditRow, read_audit
from gw.ledger.database import database_of
from tests.test_cli_reports import journal, site  # noqa: F401


def run(site: Path, *arguments: str) -> Result:  # noqa: F811
    result = CliRunner().invoke(main, [*arguments, "--config", str(site)])
    assert result.exit_code == 0, result.output
    return result


def noted(site: Path) -> list[AuditRow]:  # noqa: F811
    return read_audit(database_of(f"sqlite:///{site.parent / 'state' / 'gw.db'}"), 9)


def test_an_export_at_once_says_what_went_where(site: Path) -> None:  # noqa: F811
    journal(site, {"team": "red"}, {"team": "blue"})
    target = (site.parent / "out").as_uri()
    run(site, "export", "now", "--to", target, "--format", "csv")
    (row,) = noted(site)
    assert (row.via, row.action, row.kind, row.name) == ("cli", "export_now", "export", "now")
    assert json.loads(row.after_json) == {"what": "calls", "to": target, "since": "all"}


def test_a_run_of_a_configured_export_is_noted_when_it_is_asked_for_and_when_it_is_done(site: Path) -> None:  # noqa: F811
    site.write_text(site.read_text() + f'[[export]]\nname = "out"\nto = "{(site.parent / "out").as_uri()}"\nformat = "csv"\n')
    journal(site, {})
    run(site, "export", "run", "out")
    done, asked = noted(site)
    assert [(row.action, row.name) for row in (asked, done)] == [("run", "out"), ("export", "out")]
    assert (asked.via, done.via) == ("cli", "gw") and asked.actor == done.actor
    assert json.loads(done.after_json)["rows"] == 1


def test_a_chargeback_report_is_noted(site: Path) -> None:  # noqa: F811
    journal(site, {"team": "red"})
    assert "red" in run(site, "chargeback", "--month", "2026-11", "--by", "team", "--format", "csv").stdout
    (row,) = noted(site)
    assert (row.action, row.kind, row.name) == ("read_report", "report", "chargeback 2026-11")
    assert json.loads(row.after_json) == {"by": "team", "format": "csv"}
