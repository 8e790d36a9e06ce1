"""Both implementations of cells and buckets, and memory for them that forked processes share."""

import mmap
from types import ModuleType
from typing import Any

import pytest

from gw._fast import bucket as compiled_bucket
from gw._fast import cells as compiled_cells
from gw._fast.ref import bucket as pure_bucket
from gw._fast.ref import cells as pure_cells

CELLS = [pytest.param(compiled_cells, id="compiled"), pytest.param(pure_cells, id="pure")]
BUCKETS = [pytest.param(compiled_bucket, id="compiled"), pytest.param(pure_bucket, id="pure")]


def new_cells(module: ModuleType = compiled_cells, capacity: int = 64, slots: int = 8) -> Any:
    return module.Cells(mmap.mmap(-1, module.cells_bytes(capacity, slots)), capacity, slots)


def new_buckets(module: ModuleType = compiled_bucket, capacity: int = 64) -> Any:
    return module.Buckets(mmap.mmap(-1, module.buckets_bytes(capacity)), capacity)


def words(cells: Any, index: int) -> tuple[int, int, int]:
    """used, settled, overrun."""
    return cells.used(index), cells.settled(index), cells.overrun(index)
