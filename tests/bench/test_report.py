"""A report is well-formed, shows what the file says, and takes all of it for text."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from math import log10
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.load import markdown, report
from bench.load.plots import Series, figure_plot, percentile_plot, round_above, round_below
from bench.load.results import Ledger, Measured, Results, Round, Scenario, Target, write
from bench.load.tables import usd
from bench.load.wording import figure_text, ns_text, printable, three
from gw.loadgen.histogram import Histogram

SVG = re.compile(r"<svg .*?</svg>", re.S)
HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title><img src=x onerror=alert(1)>",
    '" onload="alert(1)',
    "a | b `c` *d* [e](http://f) & ]]>",
    "&lt;b&gt;",
    "line\nbreak",
    "\x1b[31mred\x00\u202e",
    "",
)


def measured(scale: float, *, spoilt: bool = False, **figures: float) -> Measured:
    histogram = Histogram(int(scale * (1_000 + 37 * number)) for number in range(2_000))
    median = {"p50_us": scale, "rps": 1e6 / scale, "cpu_per_request_us": scale / 2, **figures}
    rounds = [Round({key: value * factor for key, value in median.items()}) for factor in (0.9, 1.0, 1.1)]
    rounds += [Round({}, "the generator was late")] if spoilt else []
    return Measured(rounds, median, {"latency": histogram.recorded()})


def made(name: str = "gw", text: str = "words") -> Results:
    found = {"direct": measured(1), "nginx": measured(2), "bare": measured(5), name: measured(9, spoilt=True)}
    books = Ledger(text, 3, 3, "1500000000000", "1500000000000", {"input": 1}, {"input": 1}, 8, 0)
    return Results(
        started="2026-11-21T08:30:00Z",
        machine={"cpu": text, "cores": "2"},
        versions={"gw": "0.1.0", name: text},
        scenarios={text: Scenario(text, 5.0, found), "other": Scenario("other", 5.0, {name: measured(3, cpu_per_event_us=20)})},
        targets=[Target(text, text, text, 1.0, 2.0, ok=False, how=text), Target("speed", ">= 1", "2", 2.0, 1.0, ok=True)],
        ledger=[books],
        notes=[text],
        absent={name: text},
    )


class Strict(HTMLParser):
    """Fails at what is not balanced; keeps the tags, their attributes and the text."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    page = report.html(made())
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))  # XML, too
    found = read(page)
    names = {tag for tag, _ in found.tags}
    assert {"svg", "table", "style"} <= names and not names & {"script", "link", "img", "iframe", "object", "image", "use"}
    for _, attributes in found.tags:
        assert not {"src", "href", "xlink:href", "style"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    assert "http" not in page and "@import" not in page and "url(" not in page
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_the_file_becomes_markup(hostile: str) -> None:
    page = report.html(made(hostile, hostile))
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    found, plain = read(page), read(report.html(made("one")))
    shape = [(tag, sorted(attributes)) for tag, attributes in found.tags if tag not in {"small"}]
    expected = [(tag, sorted(attributes)) for tag, attributes in plain.tags if tag not in {"small"}]
    assert shape == expected
    assert printable(hostile) in "".join(found.words)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_in_the_file_breaks_a_markdown_table(hostile: str) -> None:
    text, plain = markdown.render(made(hostile, hostile)), markdown.render(made("one"))
    rows, expected = ([len(re.findall(r"(?<!\\)\|", line)) for line in one.splitlines() if "|" in line] for one in (text, plain))
    assert [count for count in rows if count] == expected
    assert not re.search(r"(?<!\\)[<>`\[]", text)


def test_every_plot_stays_within_its_frame_and_names_each_contender() -> None:
    found = {Series(f"contender {number}", f"c{number}"): Histogram([10**number, 10**number + 7]) for number in range(1, 9)}
    plot = percentile_plot("latency", found)
    root = ElementTree.fromstring(plot)
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    for element in root.iter("text"):
        assert 0 <= float(element.attrib["x"]) <= width and 0 <= float(element.attrib["y"]) <= height
    for element in root.iter("path"):
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.attrib["d"]):
            assert -0.5 <= float(x) <= width and -0.5 <= float(y) <= height
    heights = sorted(float(one.attrib["y"]) for one in root.iter("text") if one.attrib["class"].startswith("name"))
    assert len(heights) == 8 and all(after - before >= 14 for before, after in pairwise(heights))


def test_lines_rise_to_the_right_and_end_at_the_greatest_value() -> None:
    histogram = Histogram([1_000] * 990 + [50_000] * 9 + [800_000])
    plot = percentile_plot("latency", {Series("gw", "c0"): histogram})
    (line,) = [one for one in ElementTree.fromstring(plot).iter("path") if one.attrib["class"].startswith("line")]
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", line.attrib["d"])]
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    (title,) = line.iter("title")
    assert title.text == "gw: p50 1 µs, p99 1 µs, p99.9 50.2 µs"


def test_a_plot_of_nothing_is_nothing() -> None:
    assert percentile_plot("x", {Series("gw", "c0"): Histogram()}) == ""
    assert figure_plot("x", "rps", {Series("gw", "c0"): 0.0}) == "" == figure_plot("x", "rps", {})


def test_bars_begin_at_zero_and_a_wide_spread_is_marked_as_logarithmic() -> None:
    bars = figure_plot("speed", "rps", {Series("a", "c0"): 100.0, Series("b", "c1"): 50.0})
    widths = [float(one.attrib["width"]) for one in ElementTree.fromstring(bars).iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01) and "logarithmic" not in bars
    dots = figure_plot("speed", "rps", {Series("a", "c0"): 10_000.0, Series("b", "c1"): 50.0})
    assert "<rect" not in dots and "(logarithmic)" in dots


def test_a_contender_has_one_colour_in_all_plots_and_no_two_have_the_same() -> None:
    series = report.assign(made("gw, two workers"))
    assert series["nginx"].colour == "c2" and len({one.colour for one in series.values()}) == len(series)
    assert report.assign(made())["gw"].colour == "c0"


@pytest.mark.parametrize(("low", "value", "high"), [(1, 1, 1), (1, 1.5, 2), (2, 3, 5), (5, 7, 10), (500, 999, 1000)])
def test_axes_end_at_round_values(low: float, value: float, high: float) -> None:
    assert 10 ** round_below(log10(value)) == pytest.approx(low) and 10 ** round_above(log10(value)) == pytest.approx(high)


@pytest.mark.parametrize(
    ("figure", "value", "text"),
    [
        ("p50_us", 0.42, "420 ns"),
        ("p50_us", 999.9, "1 ms"),
        ("p50_us", 12_345.6, "12.3 ms"),
        ("added_p50_us", -3.0, "-3 µs"),
        ("p50_us", 0.0, "0"),
        ("rps", 11_304.4, "11,304"),
        ("rss_mb", 61.25, "61.2 MB"),
        ("failed", 0.0, "0"),
        ("nobody's", 0.125, "0.12"),
    ],
)
def test_figures_read_as_people_write_them(figure: str, value: float, text: str) -> None:
    assert figure_text(figure, value) == text


def test_times_and_money_are_exact_where_they_can_be() -> None:
    assert [ns_text(value) for value in (1, 999, 1_500, 2_000_000, 3_000_000_000)] == ["1 ns", "999 ns", "1.5 µs", "2 ms", "3 s"]
    assert three(1234567.0) == "1,234,567"
    assert [usd(text) for text in ("0", "1", "4299750000000000", "x", "٣")] == ["0", "0.000000000001", "4,299.75", "x", "٣"]


def test_the_rate_of_a_schedule_is_not_shown_as_a_contenders_own() -> None:
    closed = Scenario("what", 5.0, {"bare": measured(5), "gw": measured(9)})
    opened = Scenario("what", 5.0, {"bare": measured(5, due=100), "gw": measured(9, due=100)})
    pages = [report.html(Results("", {}, {}, {"small": one}, [], [])) for one in (closed, opened)]
    assert ["Requests answered per second" in page for page in pages] == [True, False]


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    targets = [Target("a", "1", word, 0.0, 1.0, ok=ok) for word, ok in (("2", True), ("0", False), ("not measured", False))]
    results = Results("2026-11-21T08:30:00Z", {}, {}, {}, targets, [])
    page = report.html(results)
    assert "1 of 2 targets met · 1 not measured" in page and "1 of 2 targets met" in markdown.render(results)
    assert [page.count(word) for word in ("✓ met", "✗ missed", "– not measured")] == [1, 1, 1]


def test_the_command_writes_both_reports_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    write(made(), path)
    assert list(report.paths([str(path)])) == [tmp_path / "all.html", tmp_path / "all.md"]
    text = (tmp_path / "all.md").read_text()
    assert "| speed | \\>= 1 | 2 | met |" in text and "| bare | 200,000 | 5 µs | 2.5 µs |" in text
    page = (tmp_path / "all.html").read_text()
    assert "180,000 to 220,000 in 3 rounds" in page and "✗ missed" in page and "✓ equal" in page


@pytest.mark.parametrize("data", [b"", b"{}", b"[1", None])
def test_what_is_no_file_of_results_is_said_in_a_line(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "x.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SystemExit, match=r"x\.json: "):
        list(report.paths([str(path)]))
