"""Counters and named slots in shared memory, both twins."""

from typing import Any

import pytest

from gw._fast import counters as compiled
from gw._fast.ref import counters as pure

pytestmark = pytest.mark.parametrize("module", [pytest.param(compiled, id="compiled"), pytest.param(pure, id="pure")])


def test_a_counter_grows_by_what_is_added(module: Any) -> None:
    memory = bytearray(24)
    counters = module.Counters(memoryview(memory))
    counters.add(1, 2**40)
    counters.add(1, 7)
    assert [counters[at] for at in range(len(counters))] == [0, 2**40 + 7, 0]
    assert memory[8:16] == (2**40 + 7).to_bytes(8, "little")


@pytest.mark.parametrize("at", [-1, 3])
def test_there_is_no_counter_outside(module: Any, at: int) -> None:
    counters = module.Counters(memoryview(bytearray(24)))
    with pytest.raises(IndexError):
        counters[at]
    with pytest.raises(IndexError):
        counters.add(at, 1)


def test_a_slot_that_is_named_has_nothing_else_in_it(module: Any) -> None:
    memory = bytearray(b"x" * 30)
    module.Slots(memoryview(memory), 10).name(1, "gw_1")
    assert memory == b"x" * 10 + b"gw_1".ljust(10, b"\0") + b"x" * 10


@pytest.mark.parametrize(("slot", "text"), [(-1, "a"), (3, "a"), (0, "a" * 11)])
def test_a_name_outside_of_its_slot_is_not_written(module: Any, slot: int, text: str) -> None:
    memory = bytearray(30)
    with pytest.raises(IndexError):
        module.Slots(memoryview(memory), 10).name(slot, text)
    assert not any(memory)
