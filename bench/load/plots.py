"""SVG plots of a run: latency over percentiles, and one figure of all contenders. Text in, text out; nothing from elsewhere.

Colours are classes (`c0`..), set by the page for light and for dark; a contender has the same one in every plot. All text
that comes from a file goes through `markup`; all coordinates are numbers made here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from bench.load.wording import figure_text, markup, ns_text
from gw.loadgen.histogram import Histogram

WIDTH, HEIGHT = 800, 360
LEFT, TOP, BOTTOM = 62, 14, 44  # around the plot; what the names at its right need comes on top
STEP = 2.5  # pixels between two points of a line
ROW, BAR, VALUES = 30, 16, 92  # of bars
CHAR, NAME_MAX = 7.6, 24  # pixels of a letter; letters of a name that are shown
LOG_SPREAD = 40.0  # beyond this ratio bars would hide the small ones: then dots on a logarithmic axis
PERCENTILES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)


class Series(NamedTuple):
    """One contender's line or bar. `colour`: its class."""

    name: str
    colour: str


class Axis(NamedTuple):
    """Values -> pixels along one line: `low` stands at `start`, `high` at `end`. Logarithmic values are given as exponents."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        span = self.high - self.low
        return self.start + (value - self.low) / span * (self.end - self.start) if span else self.start


def shown_name(name: str) -> str:
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"


def room_for(names: Iterable[Series]) -> float:
    """Pixels that the longest of the names takes."""
    return max(len(shown_name(one.name)) for one in names) * CHAR


def round_below(value: float) -> float:
    """The exponent of the greatest 1, 2 or 5 times a power of ten that is not above 10^value."""
    return max(floor(value) + log10(digit) for digit in (1, 2, 5) if floor(value) + log10(digit) <= value + 1e-9)


def round_above(value: float) -> float:
    return min(floor(value) + log10(digit) for digit in (1, 2, 5, 10) if floor(value) + log10(digit) >= value - 1e-9)


def tail(percentile: float) -> float:
    """Where a percentile stands: each further nine is one step to the right."""
    return -log10(1 - percentile / 100)


def percentile_plot(title: str, found: Mapping[Series, Histogram]) -> str:
    """Latency (logarithmic) over percentiles, a line for each contender, named at its end; empty if nothing was counted."""
    counted = {one: histogram for one, histogram in found.items() if histogram.count}
    if not counted:
        return ""
    right = WIDTH - 34 - room_for(counted)
    most = max(histogram.count for histogram in counted.values())
    low = min(log10(max(1, histogram.at(1))) for histogram in counted.values())
    high = max(log10(max(2, histogram.greatest)) for histogram in counted.values())
    across = Axis(0.0, max(1.0, log10(most)), LEFT, right)
    up = Axis(round_below(low), round_above(high), HEIGHT - BOTTOM, TOP)
    parts = [*_percentile_grid(across), *_latency_grid(up, right)]
    ends: list[tuple[float, float, Series]] = []
    for one, histogram in counted.items():
        points = list(_thinned(histogram, across, up))
        path = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
        said = f"{one.name}: " + ", ".join(f"p{p:g} {ns_text(histogram.at(p))}" for p in (50, 99, 99.9))
        parts.append(f'<path class="line {one.colour}" d="{path}"><title>{markup(said)}</title></path>')
        ends.append((points[-1][1], points[-1][0], one))
    ends.sort(key=lambda end: end[0])
    for (y, x, one), place in zip(ends, _apart([end[0] for end in ends]), strict=True):
        parts.append(
            f'<path class="lead-line {one.colour}" d="M{x + 3:.1f} {y:.1f}H{right + 6:.1f}L{right + 16:.1f} {place:.1f}"/>'
        )
        name = markup(shown_name(one.name))
        parts.append(f'<text class="name {one.colour}" x="{right + 21:.1f}" y="{place + 4:.1f}">{name}</text>')
    return _svg(WIDTH, HEIGHT, title, parts)


def _percentile_grid(across: Axis) -> Iterator[str]:
    for percentile in PERCENTILES:
        x = across.at(tail(percentile))
        if x <= across.end + 0.5:
            yield f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
            yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{percentile:g}</text>'
    yield f'<text class="axis" x="{(across.start + across.end) / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">percentile</text>'


def _latency_grid(up: Axis, right: float) -> Iterator[str]:
    for exponent in range(floor(up.low), ceil(up.high) + 1):
        for digit in (1, 2, 5):
            value = exponent + log10(digit)
            if up.low - 1e-9 <= value <= up.high + 1e-9:
                y = up.at(value)
                yield f'<path class="grid{" main" if digit == 1 else ""}" d="M{LEFT} {y:.1f}H{right:.1f}"/>'
                text = ns_text(digit * 10**exponent)
                yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _thinned(histogram: Histogram, across: Axis, up: Axis) -> Iterator[tuple[float, float]]:
    """The cumulative curve in pixels; of points that fall together the last, the greatest value always."""
    count, last_x = histogram.count, float("-inf")
    waiting: tuple[float, float] | None = None
    for value, running in histogram.points():
        rest = count - running
        x = min(across.at(log10(count / rest) if rest else log10(count)), across.end)
        point = (x, up.at(max(up.low, log10(max(1, value)))))
        if x - last_x >= STEP:
            yield point
            last_x, waiting = x, None
        else:
            waiting = point
    if waiting is not None:
        yield waiting


def _apart(wanted: Sequence[float], gap: float = 15.0) -> list[float]:
    """The same heights, ascending, moved as little as needed to be `gap` apart and inside the plot."""
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + gap) if placed else y)
    limit = float(HEIGHT - BOTTOM)
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return placed


def figure_plot(title: str, figure: str, found: Mapping[Series, float]) -> str:
    """One figure of each contender, greatest first as they come: bars from zero, or dots where the spread hides bars."""
    shown = {one: value for one, value in found.items() if value > 0}
    if not shown:
        return ""
    least, most = min(shown.values()), max(shown.values())
    dots = most > LOG_SPREAD * least
    height = ROW * len(shown) + (26 if dots else 4)
    start = room_for(shown) + 12
    low, high = floor(log10(least) - 0.1), ceil(log10(most))
    along = Axis(low, high, start, WIDTH - VALUES) if dots else Axis(0.0, most, start, WIDTH - VALUES)
    parts: list[str] = []
    if dots:
        parts += _decades(along, figure, height)
    for row, (one, value) in enumerate(shown.items()):
        y = row * ROW + 6
        text = figure_text(figure, value)
        x = along.at(log10(value) if dots else value)
        name = markup(shown_name(one.name))
        parts.append(f'<text class="name {one.colour}" x="{start - 10:.1f}" y="{y + BAR - 4}" text-anchor="end">{name}</text>')
        said = f"<title>{markup(one.name)}: {markup(text)}</title>"
        if dots:
            parts.append(f'<path class="stem {one.colour}" d="M{start:.1f} {y + BAR / 2}H{x:.1f}"/>')
            parts.append(f'<circle class="dot {one.colour}" cx="{x:.1f}" cy="{y + BAR / 2}" r="5.5">{said}</circle>')
        else:
            width = max(1.0, x - start)
            parts.append(
                f'<rect class="bar {one.colour}" x="{start:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2">{said}</rect>'
            )
        parts.append(f'<text class="value" x="{x + 10:.1f}" y="{y + BAR - 4}">{markup(text)}</text>')
    return _svg(WIDTH, height, title + (" (logarithmic)" if dots else ""), parts)


def _decades(along: Axis, figure: str, height: int) -> list[str]:
    parts = []
    for exponent in range(int(along.low), int(along.high) + 1):
        x = along.at(exponent)
        parts.append(f'<path class="grid" d="M{x:.1f} 0V{height - 20}"/>')
        text = markup(figure_text(figure, 10.0**exponent))
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 5}" text-anchor="middle">{text}</text>')
    return parts


def _svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    body = "".join(parts)
    name = markup(title)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}"><title>{name}</title>{body}</svg>'
