"""Figures as people read them, three digits and the unit that fits; and texts from outside as they may be shown."""

from html import escape

from bench.load.results import FIGURES

NS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def three(value: float) -> str:
    """At least three digits, never an exponent; thousands are set apart."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def ns_text(value_ns: float) -> str:
    """A time in nanoseconds, which may be negative."""
    for size, unit in NS:
        if abs(value_ns) >= size * 0.9995:
            return f"{_bare(value_ns / size)} {unit}"
    return f"{value_ns:.0f} ns"


def _bare(value: float) -> str:
    """Three digits without zeros at the end of a fraction."""
    text = three(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def figure_text(figure: str, value: float) -> str:
    """A figure of `results.FIGURES` with its unit; of any other name, the number."""
    unit = FIGURES.get(figure, ("", ""))[0]
    if unit == "us":
        return ns_text(value * 1_000) if value else "0"
    if not unit:
        return three(value)
    return f"{three(value)} {'' if unit == 'requests/s' else unit}".strip()


def printable(text: str) -> str:
    """What comes from outside, such as the last words of a program, without what a terminal or XML would obey."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def markup(text: str) -> str:
    """The text as HTML and XML, for content and for quoted attributes."""
    return escape(printable(text))
