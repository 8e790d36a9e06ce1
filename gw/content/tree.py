"""Lists of block numbers, kept as blocks themselves: what two calls have in common of theirs is stored once, too. Pure.

A list is divided where its own numbers say so, not by position, so that a change in it moves no division elsewhere; the divisions
are a list again, until one is left, the root. A call that differs from the one before by a few blocks costs a few short lists,
however long the conversation is.

A list's text: its numbers, each as its difference to the one before (the first: to 0), zigzag, base 128, low bits first.
A block's number is greater than those of all blocks in it, for they were there first: gw/content/sweep.py relies on it.
"""

from collections.abc import Iterator, Sequence

FEW, MANY = 6, 160  # numbers in one list, least and most; the last one of a level may have fewer
ONE_IN = 24  # on average a list ends after FEW and so many
MULTIPLIER, FURTHER, MASK = 0x9E3779B1, 0x85EBCA6B, 0xFFFFFFFF


def divided(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The same numbers in the same order. It ends where two neighbours say so: one alone (a comma, a brace) comes too often."""
    start, before = 0, 0
    for position, number in enumerate(numbers, 1):
        size = position - start
        if size >= FEW and (size >= MANY or ((number * MULTIPLIER ^ before * FURTHER) & MASK) >> 12 & 0xFFF < 0x1000 // ONE_IN):
            yield tuple(numbers[start:position])
            start = position
        before = number
    if start < len(numbers):
        yield tuple(numbers[start:])


def pack(numbers: Sequence[int]) -> bytes:
    packed = bytearray()
    before = 0
    for number in numbers:
        difference = number - before
        before = number
        append(packed, difference << 1 if difference >= 0 else -difference << 1 | 1)
    return bytes(packed)


def unpack(packed: bytes) -> list[int]:
    """Raises ValueError if it is no such text."""
    numbers = []
    number = 0
    for value in values(packed):
        number += -(value >> 1) if value & 1 else value >> 1
        if number < 0:
            raise ValueError("a list of blocks is damaged")
        numbers.append(number)
    return numbers


def append(packed: bytearray, value: int) -> None:
    """`value` >= 0, base 128, low bits first."""
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)


def values(packed: bytes) -> Iterator[int]:
    """What `append` has appended. Raises ValueError if it is cut short."""
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        yield value
        value = shift = 0
    if shift:
        raise ValueError("a list of numbers is cut short")
