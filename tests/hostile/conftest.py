"""One gateway for all files but those that want other settings; after each test it must be as if nothing had been done to it."""

from collections.abc import Iterator

import pytest

from tests.hostile.ground import Ground, ground
from tests.hostile.loris import Loris


@pytest.fixture(scope="package")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("hostile"), {}) as one:
        yield one


@pytest.fixture(scope="package", autouse=True)
def loris(common: Ground) -> Iterator[Loris]:
    """At work while all other tests run."""
    one = Loris(common.port)
    yield one
    one.leave()


@pytest.fixture(scope="module")
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground | None]:
    """For a file with settings of [server] of its own, in ENVIRON."""
    environ = getattr(request.module, "ENVIRON", None)
    if environ is None:
        yield None
        return
    with ground(tmp_path_factory.mktemp("hostile"), environ) as one:
        yield one


@pytest.fixture
def house(common: Ground, own: Ground | None) -> Iterator[Ground]:
    one = own or common
    yield one
    one.judge()
