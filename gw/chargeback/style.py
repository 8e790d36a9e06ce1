"""How the report looks: on a screen in light or dark, and on paper with page numbers. No script, and nothing is fetched."""

from base64 import b64encode
from hashlib import sha256


def css(title: str) -> str:
    """`title` stands at the foot of each page; of letters, digits and spaces."""
    assert all(char.isalnum() or char in " ·-" for char in title), title
    return _CSS.replace("TITLE", title)


def policy(style: str) -> str:
    """A Content-Security-Policy under which this page, and nothing else in it, works."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


_CSS = """
:root { color-scheme: light dark;
  --ink: #1a2029; --soft: #5b6675; --faint: #8a94a3; --line: #dfe3e9; --hair: #edf0f4; --paper: #ffffff; --tint: #f6f7f9;
  --mark: #b3531f; --bar: #d98a5b; --good: #2c7a51; --bad: #b23b3b; --note: #fff8ec; --note-line: #ecd5a4; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e7eaef; --soft: #a3adba; --faint: #7c8794; --line: #343c47; --hair: #262d36; --paper: #14181d; --tint: #1b2027;
  --mark: #ef9a68; --bar: #c06f3f; --good: #6bc596; --bad: #ee8585; --note: #2a2416; --note-line: #55482a; } }
* { box-sizing: border-box; }
html { background: var(--paper); }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 2rem 4rem; color: var(--ink); background: var(--paper);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums lining-nums; -webkit-text-size-adjust: 100%; }
header { display: flex; justify-content: space-between; align-items: flex-end; gap: 2rem; padding-bottom: 1.1rem;
  border-bottom: 2px solid var(--ink); }
h1 { font-size: 1.9rem; line-height: 1.15; margin: 0; font-weight: 650; letter-spacing: -.015em; }
h1 small { display: block; font-size: .8rem; font-weight: 600; letter-spacing: .09em; text-transform: uppercase;
  color: var(--mark); margin-bottom: .35rem; }
header p { margin: .3rem 0 0; color: var(--soft); }
.total { text-align: right; white-space: nowrap; }
.total b { display: block; font-size: 2.1rem; line-height: 1.1; font-weight: 650; letter-spacing: -.02em; }
.total span { color: var(--soft); font-size: .85rem; }
h2 { font-size: 1.08rem; font-weight: 650; margin: 2.3rem 0 .6rem; }
h3 { font-size: 1rem; font-weight: 650; margin: 0; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.4rem, 1fr)); margin: 0 0 1.2rem;
  border-bottom: 1px solid var(--line); }
.facts div { padding: .9rem 1rem .8rem 0; }
.facts dt { color: var(--soft); font-size: .78rem; }
.facts dd { margin: .1rem 0 0; font-size: 1.12rem; font-weight: 600; white-space: nowrap; }
.facts dd span { display: block; font-size: .76rem; font-weight: 400; color: var(--soft); }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .88rem; }
th { text-align: right; font-weight: 600; font-size: .76rem; color: var(--soft); padding: .35rem .55rem; vertical-align: bottom;
  border-bottom: 1px solid var(--ink); white-space: nowrap; }
td { text-align: right; padding: .34rem .55rem; border-bottom: 1px solid var(--hair); white-space: nowrap;
  vertical-align: baseline; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
td a { color: inherit; text-decoration: underline; text-decoration-color: var(--line); text-underline-offset: .2em; }
td a:hover { text-decoration-color: currentColor; }
td small { color: var(--faint); font-size: .82em; margin-left: .4em; overflow-wrap: anywhere; }
td.money { font-weight: 600; }
td.none { color: var(--faint); }
tr.d1 td { font-weight: 600; }
tr.d1 td:not(:first-child):not(.money) { font-weight: 400; }
tr.d2 td:first-child { padding-left: 1.1rem; }
tr.d3 td:first-child { padding-left: 2.2rem; }
tr.d2:not(.leaf) td, tr.d3:not(.leaf) td { background: var(--tint); }
tr.leaf td.money { font-weight: 400; }
tfoot td { border-top: 1px solid var(--ink); border-bottom: 3px double var(--ink); font-weight: 650; }
.up { color: var(--bad); } .down { color: var(--good); }
svg { display: block; }
svg.bar { width: 5.2rem; height: .55rem; }
td.share { width: 5.6rem; padding-left: 0; }
svg .fill { fill: var(--bar); } svg .track { fill: var(--hair); } svg .rest { fill: var(--line); }
svg text { fill: var(--soft); font-size: 9px; } svg line { stroke: var(--line); stroke-width: .6; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .8rem; margin-bottom: .3rem; }
.two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2.5rem; }
.notes { margin: 1.6rem 0 0; padding: .8rem 1.1rem; background: var(--note); border: 1px solid var(--note-line);
  border-radius: 4px; }
.notes ul { margin: .3rem 0 0; padding-left: 1.1rem; } .notes li { margin: .2rem 0; overflow-wrap: anywhere; }
nav ol { columns: 2; column-gap: 2.5rem; margin: 0; padding: 0; list-style: none; font-size: .88rem; }
nav li { break-inside: avoid; border-bottom: 1px dotted var(--line); }
nav a { display: flex; justify-content: space-between; gap: 1rem; color: inherit; text-decoration: none; padding: .22rem 0; }
nav a span:first-child { overflow-wrap: anywhere; }
section.account { margin-top: 2.6rem; }
section.account > div.head { display: flex; justify-content: space-between; gap: 2rem; align-items: baseline;
  border-top: 2px solid var(--ink); padding: .6rem 0 .5rem; }
.head h3 { font-size: 1.15rem; overflow-wrap: anywhere; } .head small { color: var(--mark); font-weight: 600; font-size: .72rem;
  letter-spacing: .07em; text-transform: uppercase; display: block; }
.head p { margin: 0; text-align: right; white-space: nowrap; color: var(--soft); font-size: .85rem; }
.head p b { color: var(--ink); font-size: 1.15rem; font-weight: 650; display: block; }
.how { margin-top: 2.6rem; color: var(--soft); font-size: .8rem; border-top: 1px solid var(--line); }
.how h2 { font-size: .85rem; margin-top: 1rem; color: var(--ink); } .how p { margin: .3rem 0; max-width: 50rem; }
@media (max-width: 44rem) { body { padding: 1.2rem 1rem 3rem; } header { display: block; } .total { text-align: left;
  margin-top: 1rem; }
  .two { display: block; } nav ol { columns: 1; } }
@page { margin: 16mm 14mm 18mm;
  @bottom-left { content: "TITLE"; font: 8pt system-ui, sans-serif; color: #5b6675; }
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt system-ui, sans-serif; color: #5b6675; } }
@page :first { margin-top: 13mm; }
@media print { :root { color-scheme: light; --ink: #111418; --soft: #4b5563; --faint: #6b7280; --line: #cfd5dd; --hair: #e6e9ee;
    --paper: #ffffff; --tint: #f4f5f7; --mark: #9a4518; --bar: #d08050; --good: #22613f; --bad: #962f2f; --note: #fffaf0;
    --note-line: #e5cf9f; }
  html, body { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 9.2pt; }
  h1 { font-size: 20pt; } .total b { font-size: 21pt; } dl.facts { grid-template-columns: repeat(6, 1fr); }
  .facts dd { font-size: 11pt; } .facts div { padding-right: .6rem; }
  .table { overflow: visible; } table { font-size: 8.2pt; } th { font-size: 7.2pt; }
  thead { display: table-header-group; } tfoot { display: table-row-group; } tr { break-inside: avoid; }
  td { padding-top: .17rem; padding-bottom: .17rem; } td:first-child { min-width: 0; width: 30%; } td.share { width: 17mm; }
  .account tr.d1:not(.leaf), .account tr.d2:not(.leaf), tbody tr:last-child { break-after: avoid; }
  tfoot tr { break-before: avoid; } h2 { margin-top: 1.3rem; } .notes { margin-top: 1rem; padding: .55rem .9rem; }
  td a { text-decoration: none; } section.account, .how { margin-top: 1.5rem; } section.account.long { margin-top: 0; }
  h2, h3, .head { break-after: avoid; } figure, .notes, .two > div, .how { break-inside: avoid; }
  section.account.long { break-before: page; } nav a { color: inherit; } svg.bar { width: 16mm; } }
"""
