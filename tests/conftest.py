"""The end of a run names every suite that was skipped and the line that enables it; where skipping is forbidden, any
skip fails the run, whoever asked for it."""

import gc
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter
from xdist.scheduler import LoadScopeScheduling

from gw.ops import state
from tests.support.databases import cluster, database, server  # noqa: F401 - fixtures of many suites

FORBID = os.environ.get("GW_TEST_FORBID_SKIP") == "1"
# Suites that stay in one process each where several run the tests (`-n`), and begin first, since they take long or wait for
# what lasts half a minute; else a file.
TOGETHER = ("tests/e2e/", "tests/dashboard/", "tests/hostile/", "tests/sdk/")


def _skipped(config: pytest.Config) -> dict[str, list[str]]:
    """Reason -> the tests, or whole files, skipped for it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    by_reason: dict[str, list[str]] = defaultdict(list)
    if isinstance(reporter, TerminalReporter):
        for report in reporter.stats.get("skipped", []):
            _, _, reason = report.longrepr
            by_reason[reason.removeprefix("Skipped: ")].append(report.nodeid)
    return by_reason


GZIP = b"\x1f\x8b"


def pytest_make_parametrize_id(val: object) -> str | None:
    """Neither a key that was minted for a test nor compressed bytes, which hold the time, must name it: processes that run the
    tests beside each other must agree on names."""
    if isinstance(val, bytes) and val.startswith(GZIP):
        return f"gzip-of-{len(val)}"
    text = val.decode("latin-1") if isinstance(val, bytes) else val
    return re.sub(r"(?i)gwk_\w{20,}", "gwk_", text) if isinstance(text, str) and "gwk_" in text.lower() else None


def _group(nodeid: str) -> str:
    """What is run in one process: a suite of TOGETHER, else a file."""
    path = nodeid.split("::")[0]
    return next((suite for suite in TOGETHER if path.startswith(suite)), path)


class _Scheduler(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {suite: at for at, suite in enumerate(TOGETHER)}
    items.sort(key=lambda item: order.get(_group(item.nodeid), len(TOGETHER)))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: to look through all of it for garbage takes the better part of a second, in which
    everything else in this process stands still."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _sparse_states() -> Iterator[None]:
    """Of state files that tests make in this process only the pages that are used: a worker hangs in cycles, and what it has
    mapped (94 MB) keeps its room on the disk until they are collected, which in a process with so many tests is late."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_allocate", lambda fd: os.ftruncate(fd, state.FILE_BYTES))
        yield


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
