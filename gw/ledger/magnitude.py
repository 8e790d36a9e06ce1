"""How large a number is, roughly: twenty times its number of digits, and a fifth of its first two. 0 for negative ones.

It grows with the number, and takes some dozen values. So an index that begins with it is written to in a few places only, where
one that begins with the number itself is written to in as many as there are calls (gw.ledger.log_days).
"""


def magnitude(number: str) -> str:
    """Of an expression of SQL; as indexed by migration 0021."""
    text = f"CAST({number} AS TEXT)"
    return f"(CASE WHEN {number} < 0 THEN 0 ELSE length({text}) * 20 + CAST(substr({text}, 1, 2) AS INTEGER) / 5 END)"


def magnitude_of(number: int) -> int:
    """As the database says it."""
    text = str(number)
    return 0 if number < 0 else len(text) * 20 + int(text[:2]) // 5
