from gw._fast.jsonpeek import Peek

def peek_and_weigh(body: bytes) -> Peek:
    """What `peek` says of the body, and in `weight` what `weigh` does, unless the peek has an error: in one pass over it."""
