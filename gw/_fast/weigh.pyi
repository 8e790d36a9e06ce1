from gw._fast.fields import Weight as Weight  # with the same fields and methods

def weigh(body: bytes) -> Weight:
    """Weighs a body that `peek` has found to be one JSON object (ValueError if it is not), in one pass, without a tree."""
