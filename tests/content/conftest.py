from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.content.keeping import Store, stored


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Nothing in it, on each database."""
    with stored(request.param, tmp_path, request) as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'gw.db'}")
