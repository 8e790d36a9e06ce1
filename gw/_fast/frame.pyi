Value = str | int | bool | tuple["Value", ...]

class Frame:
    """One frame at a time: `begin`, then its columns in order, then `end`. Whatever was begun and not ended is forgotten.

    A text that holds a lone surrogate is written with `?` for it. `seed`: the CRC begins with it.
    """

    def __init__(self, seed: int = 0) -> None: ...
    @property
    def size(self) -> int:
        """Bytes so far, the frame's head included."""

    def begin(self, kind: bytes, columns: int) -> int:
        """`kind`: the four bytes that it begins with. Raises ValueError."""

    def array(self, count: int) -> int:
        """The next `count` values are one column."""

    def text(self, value: str) -> int: ...
    def shown(self, value: str, limit: int) -> int:
        """As gw.domain.text.printable makes it."""

    def number(self, value: int) -> int:
        """Of 64 bits, signed. Raises OverflowError."""

    def integer(self, value: int) -> int:
        """Of any size: what is beyond 64 bits becomes the nearest that is not."""

    def flag(self, value: bool) -> int: ...
    def raw(self, encoded: bytes) -> int:
        """Values that were encoded before."""

    def value(self, value: Value) -> int:
        """Any of these, by its type. Raises TypeError."""

    def since(self, start: int) -> bytes:
        """What was written since `size` was `start`. Raises ValueError."""

    def end(self) -> bytes:
        """The whole frame, with its length and CRC."""
