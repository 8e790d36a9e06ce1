"""Numbers and doubts in words, as the printed report has them. Names come from outside: `named` makes them fit to be shown, the
page escapes them."""

from collections.abc import Iterator

from gw.chargeback.report import PUSD_PER_CENT, Report
from gw.domain.money import round_half_even
from gw.domain.text import printable

NAME_CHARS_MAX = 200
MODELS_NAMED_MAX = 5
UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
MINUS, NOTHING = "\u2212", "\u2013"
TENFOLD = 1000  # percent: above it a change is said in multiples


def named(text: str) -> str:
    """Without what would turn the direction of a line, or be no letter at all."""
    return printable(text, NAME_CHARS_MAX)


def amount(cents: int) -> str:
    """`1,234.50`, `−3.00`."""
    sign = MINUS if cents < 0 else ""
    return f"{sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def counted(count: int) -> str:
    return f"{count:,}" if count else NOTHING


def compact(count: int) -> str:
    """Three digits and a unit: `1.23 M`."""
    for unit, sign in UNITS:
        if count >= unit:
            hundredths = count * 100 // unit
            shown = f"{hundredths // 100:,}" if hundredths >= 10_000 else f"{hundredths / 100:.{1 if hundredths >= 1000 else 2}f}"
            return f"{shown}\u202f{sign}"
    return str(count) if count else NOTHING


def percent(part: int, whole: int) -> str:
    """`12.3%`."""
    if whole <= 0 or not part:
        return NOTHING
    tenths = round_half_even(part * 1000, whole)
    if part and not tenths:
        return "<0.1%"
    return f"{tenths // 10}%" if tenths == 1000 else f"{MINUS if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10}%"


def delta(now: int, before: int) -> str:
    """By how much more or less than before."""
    if now == before:
        return "unchanged" if now else NOTHING
    if before <= 0:
        return "new"
    change = round_half_even((now - before) * 100, before)
    if change > TENFOLD:
        return f"\u00d7{now // before:,}"
    return f"{'+' if now > before else MINUS}{abs(change)}%" if change else "\u00b10%"


def notes(report: Report) -> Iterator[str]:
    """What leaves a doubt."""
    sums, figures = report.whole.sums, report.figures
    if figures.behind:
        yield "The sums of calls from before an update are still being made: this is not all yet."
    if report.running:
        yield "The month is not over: this is what has come until now, compared with as many days of the month before."
    if figures.unpriced:
        calls = sum(count for _, count in figures.unpriced)
        models = [named(model) for model, _ in figures.unpriced[:MODELS_NAMED_MAX]]
        more = f" and {len(figures.unpriced) - MODELS_NAMED_MAX} more" if len(figures.unpriced) > MODELS_NAMED_MAX else ""
        yield (
            f"{calls:,} {_calls(calls)} cost 0 here for want of a price: {', '.join(models)}{more}. Add a [[pricing.override]] "
            "and run gw reprice."
        )
    doubtful = sums.count("observed") + sums.count("estimated")
    if doubtful:
        yield (
            f"{doubtful:,} {_calls(doubtful)} ended before the provider said what they cost: {sums.count('observed'):,} are "
            f"billed by what was seen of the answer, {sums.count('estimated'):,} by an estimate."
        )
    if sums.adjusted:
        later = figures.adjusted_later
        when = f", {_usd(later)} of it after the month was over" if later else ""
        yield f"Prices were corrected afterwards: {_usd(sums.adjusted)} in all{when}."


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"


def _usd(pusd: int) -> str:
    return f"${amount(round_half_even(pusd, PUSD_PER_CENT))}"
