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
