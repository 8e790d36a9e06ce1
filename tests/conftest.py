"""The end of a run names every suite that was skipped and the line that enables it; where skipping is forbidden, any
skip fails the run, whoever asked for it."""

import os
from collections import defaultdict

import pytest
from _pytest.terminal import TerminalReporter

from tests.support.databases import cluster, database, server  # noqa: F401 - fixtures of many suites

FORBID = os.environ.get("GW_TEST_FORBID_SKIP") == "1"


def _skipped(config: pytest.Config) -> dict[str, list[str]]:
    """Reason -> the tests, or whole files, skipped for it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    by_reason: dict[str, list[str]] = defaultdict(list)
    if isinstance(reporter, TerminalReporter):
        for report in reporter.stats.get("skipped", []):
            _, _, reason = report.longrepr
            by_reason[reason.removeprefix("Skipped: ")].append(report.nodeid)
    return by_reason


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    skipped = _skipped(config)
    if not skipped:
        return
    terminalreporter.section("Skipped suites")
    for reason, tests in sorted(skipped.items()):
        files = sorted({test.split("::")[0] for test in tests})
        terminalreporter.write_line(f"{reason}\n    {len(tests)} skipped in {', '.join(files)}")
    if FORBID:
        terminalreporter.write_line("GW_TEST_FORBID_SKIP=1: each of these is a failure", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if FORBID and session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
