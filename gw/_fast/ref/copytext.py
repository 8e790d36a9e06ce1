"""The pure twin of copytext.pyx."""

_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(rows: list[tuple[object, ...]], first: int | None = None) -> bytes:
    if not isinstance(rows, list):
        raise TypeError("rows are a list")
    lines = []
    for number, row in enumerate(rows, first or 0):
        if not isinstance(row, tuple):
            raise TypeError("a row is a tuple")
        lines.append("\t".join([*map(_column, row), *([] if first is None else [str(number)])]) + "\n")
    return "".join(lines).encode()


def _column(value: object) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("Postgres keeps no NUL in text")
        value.encode()  # a lone surrogate is told before what follows it
        return value.translate(_ESCAPED)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise OverflowError("an int of more than 64 bits")
        return str(value)
    raise TypeError(f"a column of {type(value).__name__}")
