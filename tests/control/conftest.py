from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.control.api import TOKEN, Api, serving


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    """The admin token of gateways in the test."""
    monkeypatch.setenv("GW_ADMIN_TOKEN", TOKEN)
    return TOKEN


@pytest.fixture
async def api(tmp_path: Path, token: str) -> AsyncIterator[Api]:
    async with serving(tmp_path) as one:
        yield one
