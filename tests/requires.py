"""What a test needs from the machine: if it is missing the test is skipped with the line that enables it.

With `GW_TEST_FORBID_SKIP=1` (the machine that must run everything) a missing thing is a failure.
"""

import os

import pytest


def need(what: str, found: bool, enable: str) -> None:
    """Go on if `found`; else skip, or fail where skipping is forbidden. `enable` is a command line."""
    if found:
        return
    message = f"{what} is missing; to enable: {enable}"
    if os.environ.get("GW_TEST_FORBID_SKIP") == "1":
        pytest.fail(message)
    pytest.skip(message)
