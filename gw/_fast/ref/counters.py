"""The twin of gw/_fast/counters.pyx."""


class Counters:
    def __init__(self, memory: memoryview) -> None:
        self._words = memoryview(memory).cast("B").cast("q")

    def add(self, at: int, amount: int) -> int:
        self._words[at] = self[at] + amount
        return 0

    def __getitem__(self, at: int) -> int:
        if not 0 <= at < len(self._words):
            raise IndexError(f"there is no counter {at}")
        return self._words[at]

    def __len__(self) -> int:
        return len(self._words)


class Slots:
    def __init__(self, memory: memoryview, size: int) -> None:
        self._bytes = memoryview(memory).cast("B")
        self.size = size

    def name(self, slot: int, text: str) -> int:
        start = text.encode()
        if not 0 <= slot < len(self._bytes) // self.size or len(start) > self.size:
            raise IndexError(f"there is no slot {slot}, or no room in it for {len(start)} bytes")
        at = slot * self.size
        self._bytes[at : at + self.size] = start.ljust(self.size, b"\0")
        return 0
