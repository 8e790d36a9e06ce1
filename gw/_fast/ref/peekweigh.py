"""The pure twin of peekweigh.pyx: the two one after the other, which must come to the same."""

from gw._fast.ref.jsonpeek import Peek, peek
from gw._fast.ref.weigh import weigh


def peek_and_weigh(body: bytes) -> Peek:
    found = peek(body)
    if not found.error:
        found.weight = weigh(body)
    return found
