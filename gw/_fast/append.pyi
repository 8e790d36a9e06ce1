def append(fd: int, data: bytes) -> int:
    """Bytes written, perhaps fewer than given. Raises OSError."""
