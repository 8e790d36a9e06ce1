class Counters:
    """int64 words in a writable buffer; held for as long as this object lives."""

    def __init__(self, memory: object) -> None: ...
    def add(self, at: int, amount: int) -> int:
        """Raises IndexError."""

    def __getitem__(self, at: int) -> int: ...
    def __len__(self) -> int: ...

class Slots:
    """Records of `size` bytes in a writable buffer."""

    def __init__(self, memory: object, size: int) -> None: ...
    def name(self, slot: int, text: str) -> int:
        """Clears a record; the text is then its beginning. Raises IndexError."""
