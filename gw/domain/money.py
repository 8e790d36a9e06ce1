"""Money is an `int`: pico-USD (1e-12 USD) in rates and ledger. Text in, text out; no float on the way.

Every published price per token is a whole number of pico-USD, so a rate in USD per million tokens with at most six
decimals converts exactly.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

PUSD_PER_USD = 10**12
PUSD_PER_NUSD = 1000  # budgets and their cells count nano-USD
Part = int  # of a USD, below PUSD_PER_USD; compiled, a C integer: money.pxd
NUSD_MAX = 2**63 - 1  # what a cell holds: 9.2 billion USD


def pusd_from_usd(text: str | Decimal) -> int:
    """`"0.043094"` -> 43094000000. Raises ValueError if the amount is not finite or finer than 1 pico-USD."""
    with localcontext() as ctx:
        ctx.prec = 60
        try:
            scaled = Decimal(text) * PUSD_PER_USD
        except InvalidOperation as error:
            raise ValueError(f"not an amount in USD: {text!r}") from error
        if not scaled.is_finite():
            raise ValueError(f"not a finite amount in USD: {text!r}")
        whole = scaled.to_integral_value()
        if whole != scaled:
            raise ValueError(f"finer than one pico-USD: {text!r}")
        return int(whole)


def rate_from_usd_per_mtok(text: str | Decimal) -> int:
    """USD per million tokens -> pico-USD per token, exact. Raises ValueError if it is not a whole pico-USD."""
    with localcontext() as ctx:
        ctx.prec = 60
        try:
            return pusd_from_usd(Decimal(text) / 1_000_000)
        except InvalidOperation as error:
            raise ValueError(f"not a rate in USD per million tokens: {text!r}") from error


def nusd_from_usd(text: str | Decimal) -> int:
    """`"0.5"` -> 500000000. Raises ValueError if the amount is not finite or finer than 1 nano-USD."""
    whole, rest = divmod(pusd_from_usd(text), PUSD_PER_NUSD)
    if rest:
        raise ValueError(f"finer than one nano-USD: {text!r}")
    return whole


def usd_text(pusd: int) -> str:
    """43094000000 -> `"0.043094"`: exact, no exponent, no trailing zeros."""
    sign = "-" if pusd < 0 else ""
    whole, part = divmod(abs(pusd), PUSD_PER_USD)
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{_fraction(part)}"


def _fraction(part: Part) -> str:
    return f"{part:012d}".rstrip("0")


def round_half_even(numerator: int, denominator: int) -> int:
    """The integer nearest to numerator / denominator, ties to even. denominator > 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def usd_rounded(pusd: int, decimals: int = 4) -> str:
    """For people: rounded half-even to `decimals`, always with that many decimals."""
    with localcontext() as ctx:
        ctx.prec = 60
        value = (Decimal(pusd) / PUSD_PER_USD).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{value:f}"
