"""Each file has a gateway of its own; after each test it must be as if nothing had been done to it."""

from collections.abc import Iterator

import pytest

from tests.hostile.ground import Ground, ground


@pytest.fixture(scope="module")
def _ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("hostile"), getattr(request.module, "ENVIRON", {})) as one:
        yield one


@pytest.fixture
def house(_ground: Ground) -> Iterator[Ground]:
    yield _ground
    _ground.judge()
