def copy_text(rows: list[tuple[object, ...]], first: int | None = None) -> bytes:
    """The lines that `COPY ... FROM STDIN` takes as text, one for each row: its columns (str, int of 64 bits, bool), then the
    row's number, counted from `first`, if that is given.

    Raises ValueError for text with NUL in it, which Postgres does not keep, OverflowError for a larger integer, TypeError for
    another kind of value, UnicodeEncodeError for a lone surrogate.
    """
