"""The pure twin of seek.pyx."""


def holds(whole: bytes, part: bytes) -> bool:
    return part in whole
