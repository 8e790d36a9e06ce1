"""Text from outside, made fit for rows, logs, terminals and spreadsheets."""

# With which a cell begins that a spreadsheet would compute, the last four in full width; and the apostrophe itself, so that the
# original can be told.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def printable(text: str, limit: int) -> str:
    """At most `limit` characters; what a terminal would obey instead of show (escapes, line ends, direction marks) as `?`."""
    text = text[:limit]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def defused(text: str) -> str:
    """As a cell of CSV that a spreadsheet opens: what it would run stands behind an apostrophe, which spreadsheets hide."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
