"""Text from outside, made fit for rows, logs and terminals."""


def printable(text: str, limit: int) -> str:
    """At most `limit` characters; what a terminal would obey instead of show (escapes, line ends, direction marks) as `?`."""
    text = text[:limit]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
