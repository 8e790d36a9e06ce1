"""The twin of gw/_fast/counters.pyx."""


class Counters:
    def __init__(self, memory: memoryview) -> None:
        self._words = memoryview(memory).cast("B").cast("q")

    def add(self, *pairs: int) -> None:
        if len(pairs) % 2:
            raise ValueError("every index needs an amount")
        for at, amount in zip(pairs[::2], pairs[1::2], strict=True):
            self[at]
            self._words[at] += amount

    def __getitem__(self, at: int) -> int:
        if not 0 <= at < len(self._words):
            raise IndexError(f"there is no counter {at}")
        return self._words[at]

    def __len__(self) -> int:
        return len(self._words)
