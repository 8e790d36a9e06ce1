// Any measure by any dimensions: a chart and a table of the same answer, each line of it a way further down.
import { html } from "../core/html.js";
import { filtered, literal, search, useData } from "../core/api.js";
import { Link, go, param, place, setParams } from "../core/router.js";
import { session } from "../core/session.js";
import { ZONE, change, count, drawnUsd, duration, percent, placesOf, plural, short, usd } from "../core/format.js";
import { bucketOf, chooseBetween, range } from "../core/range.js";
import { Chart } from "../ui/chart.js";
import { Icon } from "../ui/icons.js";
import { RangePicker } from "../ui/range.js";
import { Card, Choices, Usd } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

export const DIMENSIONS = {
  team: "Team", key: "Key", customer: "Customer", model: "Model", project: "Project", kind: "Kind of session", upstream: "Upstream",
  outcome: "Outcome", status: "Status", error: "Error", device: "Device", service_tier: "Service tier", speed: "Speed", inference_geo: "Region", context_window: "Context window",
  session_id: "Session", agent_id: "Agent", client_version: "Client", dialect: "Dialect",
};
const MEASURES = {
  billed_usd: ["Cost", "usd"], list_usd: ["List cost", "usd"], calls: ["Calls", "count"], tokens: ["Tokens", "count"], input_tokens: ["Input tokens", "count"],
  output_tokens: ["Output tokens", "count"], cache_read_tokens: ["Cache read tokens", "count"], cache_write_5m_tokens: ["Cache write tokens, 5 min", "count"],
  cache_write_1h_tokens: ["Cache write tokens, 1 h", "count"], cache_read_share: ["Cache read share", "share"], errors: ["Errors", "count"], refused: ["Refused", "count"],
  error_rate: ["Error rate", "share"], latency_ms: ["Mean latency", "ms"], first_token_ms: ["Mean time to first token", "ms"], unpriced: ["Unpriced", "count"],
};
const SUMS = ["usd", "count"];
const SHOWN = ["billed_usd", "calls", "tokens", "output_tokens", "cache_read_share", "error_rate", "first_token_ms"];
const BUCKETS = [["", "Auto"], ["hour", "Hour"], ["day", "Day"], ["week", "Week"], ["month", "Month"]];
const TOP = 8;
const LINES_MAX = 5000;

/** @param {string} name @param {any} value */
export function said(name, value) {
  if (value === null || value === undefined) return "–";
  const kind = MEASURES[name]?.[1];
  if (kind === "usd") return usd(String(value));
  if (kind === "share") return percent(Number(value));
  if (kind === "ms") return duration(Number(value) * 1000);
  return count(Number(value));
}

function asked() {
  const { from, to, since } = range();
  const measure = Object.hasOwn(MEASURES, param("measure")) ? param("measure") : "billed_usd";
  const groups = (param("group") || (session.value?.role === "key" ? "model" : "team")).split(",").filter((one) => Object.hasOwn(DIMENSIONS, one));
  const filters = Object.fromEntries(Object.keys(DIMENSIONS).filter((name) => place.value.query.has(name)).map((name) => [name, place.value.query.get(name) || ""]));
  const bucket = BUCKETS.some(([name]) => name && name === param("bucket")) ? param("bucket") : bucketOf(from, to);
  return { since, to, measure, groups: groups.length ? groups.slice(0, 2) : ["model"], filters, bucket, compare: param("compare") === "1" };
}

export default function Explore() {
  const ask = asked();
  const shared = { from: ask.since, to: ask.to, tz: ZONE, group_by: ask.groups, order: `-${ask.measure}`, top: TOP, compare: ask.compare ? "previous" : "", limit: LINES_MAX };
  const measures = [...new Set([ask.measure, ...SHOWN])];
  const query = { ...shared, measures, bucket: ask.bucket };
  const path = `/api/usage${search(query)}${filtered(ask.filters)}`;
  const data = useData(path);
  const csv = path.replace(/([?&])top=\d+&?/, "$1").replace(`limit=${LINES_MAX}`, "format=csv");
  return html`<${Head} title="Explore" sub="Any measure, by anything."><${RangePicker} /><a class="button" href=${csv} download="usage.csv"><${Icon} name="export" />CSV</a></${Head}>
    <${Controls} ask=${ask} />
    <${Await} of=${data} lines=${10}>${(found) => html`<${Found} of=${found} ask=${{ ...ask, groups: found.group_by, measure: found.measures[0] }} />`}</${Await}>`;
}

function Controls({ ask }) {
  const second = ask.groups[1] || "";
  const options = (without) => Object.entries(DIMENSIONS).filter(([name]) => name !== without).map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`);
  const pick = (name) => (event) => setParams({ [name]: event.currentTarget.value });
  const group = (first, next) => setParams({ group: [first, next].filter(Boolean).join(",") });
  return html`<div class="row">
    <select class="input" style=${{ width: "auto" }} aria-label="Measure" value=${ask.measure} onChange=${pick("measure")}>${Object.entries(MEASURES).map(([name, [title]]) => html`<option key=${name} value=${name}>${title}</option>`)}</select>
    <span class="small quiet">by</span>
    <select class="input" style=${{ width: "auto" }} aria-label="By" value=${ask.groups[0]} onChange=${(event) => group(event.currentTarget.value, second)}>${options(second)}</select>
    <select class="input" style=${{ width: "auto" }} aria-label="and by" value=${second} onChange=${(event) => group(ask.groups[0], event.currentTarget.value)}><option value="">and nothing else</option>${options(ask.groups[0])}</select>
    <${Choices} label="Buckets of time" options=${BUCKETS} value=${param("bucket")} onChoose=${(value) => setParams({ bucket: value })} />
    <label class="row small"><input type="checkbox" checked=${ask.compare} onChange=${() => setParams({ compare: ask.compare ? "" : "1" })} /> with the period before</label>
    ${Object.entries(ask.filters).map(([name, value]) => html`<button key=${name} class="button" onClick=${() => setParams({ [name]: "" })} title="Take this filter away"><span class="quiet">${DIMENSIONS[name]}</span> ${value || "none"} <${Icon} name="close" size=${12} /></button>`)}
  </div>`;
}

const label = (group, groups) => (group === null ? "all others" : groups.map((name) => group[name] || "none").join(" · "));

/** Lines of one group over all buckets, added where they add up. */
function byGroup(items, groups) {
  const found = new Map();
  for (const one of items) {
    const key = JSON.stringify(one.group);
    if (!found.has(key)) found.set(key, { key, name: label(one.group, groups), group: one.group, lines: [] });
    found.get(key).lines.push(one);
  }
  return [...found.values()];
}

/** What adds up to most comes first, what is left over last. */
function ranked(groups, measure) {
  if (!SUMS.includes(MEASURES[measure][1])) return groups;
  const sum = (one) => one.lines.reduce((total, line) => total + Number(line.values[measure] || 0), 0);
  return groups.sort((a, b) => Number(a.group === null) - Number(b.group === null) || sum(b) - sum(a));
}

/** A first bucket that begins late stands where it would begin, so that bars are as wide as they can be. @param {number[]} times */
function even(times) {
  const step = times[2] - times[1];
  return step > times[1] - times[0] ? [times[1] - step, ...times.slice(1)] : times;
}

function Found({ of, ask }) {
  if (!of.items.length) return html`<${Card}><${Empty} title="Nothing was used">In this time, with these filters. Choose a longer range, or take a filter away.</${Empty}></${Card}>`;
  const groups = ranked(byGroup(of.items, ask.groups), ask.measure);
  const times = even(of.buckets.map((one) => Date.parse(one) / 1000));
  const at = new Map(of.buckets.map((one, index) => [one, index]));
  let colours = 0;
  const series = groups.map((one) => {
    const values = new Array(times.length).fill(SUMS.includes(MEASURES[ask.measure][1]) ? 0 : null);
    for (const line of one.lines) values[at.get(line.bucket)] = line.values[ask.measure] === null ? null : Number(line.values[ask.measure]);
    return { name: one.name, values, color: one.group === null ? 0 : (colours += 1) };
  });
  const sums = SUMS.includes(MEASURES[ask.measure][1]);
  const kind = MEASURES[ask.measure][1];
  const format = (value, step) => (kind === "usd" ? drawnUsd(value, step) : kind === "share" ? percent(value, step ? placesOf(step * 100) : 1) : kind === "ms" ? duration(value * 1000) : short(value));
  const total = of.totals.values[ask.measure];
  return html`${of.next_cursor && html`<div class="notice warn" role="status">Only the first ${count(LINES_MAX)} lines are here: choose longer buckets of time, or less time. The CSV has all of them.</div>`}
    <${Card} title=${html`${MEASURES[ask.measure][0]} <span class="quiet">${said(ask.measure, total)} in all</span>`} label=${MEASURES[ask.measure][0]}>
      <${Chart} kind=${sums ? "bars" : "line"} times=${times} series=${series} format=${format} label=${`${MEASURES[ask.measure][0]} by ${ask.groups.join(" and ")}`}
        height=${300} hourly=${of.bucket === "hour"} onPick=${(from, to) => chooseBetween(new Date(from * 1000).toISOString(), new Date(to * 1000).toISOString())} /></${Card}>
    <${Lines} of=${of} ask=${ask} groups=${groups} />`;
}

/** What can be added over buckets; means are not, so their column is left to a question without buckets. */
function added(lines, name, part = "values") {
  const values = lines.map((one) => one[part]?.[name]).filter((value) => value !== null && value !== undefined);
  if (!values.length) return null;
  if (MEASURES[name][1] === "usd") return sumUsd(values);
  return values.reduce((sum, value) => sum + value, 0);
}

/** Decimal texts, added exactly. @param {string[]} texts */
function sumUsd(texts) {
  const SCALE = 12;
  const pico = texts.reduce((sum, text) => {
    const [whole, fraction = ""] = text.replace("-", "").split(".");
    const one = BigInt(whole + fraction.padEnd(SCALE, "0"));
    return sum + (text.startsWith("-") ? -one : one);
  }, 0n);
  const digits = (pico < 0n ? -pico : pico).toString().padStart(SCALE + 1, "0");
  const text = `${digits.slice(0, -SCALE)}.${digits.slice(-SCALE)}`.replace(/\.?0+$/, "");
  return pico < 0n ? `-${text}` : text;
}

function Lines({ of, ask, groups }) {
  const whole = Number(of.totals.values[ask.measure]) || 0;
  const sums = [...new Set([ask.measure, "billed_usd", "calls", "tokens", "output_tokens"])].filter((name) => SUMS.includes(MEASURES[name][1]));
  const into = (one) => (one.group === null ? null : { ...ask.filters, ...Object.fromEntries(ask.groups.map((name) => [name, literal(one.group[name])])) });
  const columns = [
    ...ask.groups.map((name) => ({ name, title: DIMENSIONS[name], class: "clip", cell: (one) => html`<${Into} of=${one} name=${name} open=${next && into(one) ? () => open(one) : null} />` })),
    ...sums.map((name) => ({ name, title: MEASURES[name][0], number: true, cell: (one) => (MEASURES[name][1] === "usd" ? html`<${Usd} of=${added(one.lines, name)} />` : count(added(one.lines, name))) })),
    { name: "share", title: "Share", number: true, cell: (one) => (whole && sums.includes(ask.measure) ? percent(Number(added(one.lines, ask.measure)) / whole, 0) : "") },
    ...(ask.compare && sums.includes(ask.measure) ? [{ name: "change", title: "Against before", number: true, cell: (one) => html`<${Grown} now=${Number(added(one.lines, ask.measure))} before=${Number(added(one.lines, ask.measure, "previous") || 0)} />` }] : []),
    { name: "go", title: html`<span class="unseen">Further</span>`, number: true, cell: (one) => one.group !== null && html`<${Link} to="/logs" query=${into(one)}>Calls</${Link}>` },
  ];
  const next = Object.keys(DIMENSIONS).find((name) => !ask.groups.includes(name) && !(name in ask.filters));
  const open = (one) => into(one) && next && go(`/explore?${new URLSearchParams({ ...Object.fromEntries(place.value.query), ...into(one), group: next })}`);
  return html`<${Card} title=${plural(groups.length, "line")} flush side=${next && html`<span class="small quiet">Choose a line to go further down</span>`}>
    <${Table} label="Lines" columns=${columns} rows=${groups} rowKey=${(one) => one.key} onOpen=${open} /></${Card}>`;
}

/** By mouse the whole line leads further down, by keys its name. */
function Into({ of, name, open }) {
  if (of.group === null) return html`<em>all others</em>`;
  const title = of.group[name] || html`<span class="quiet">none</span>`;
  return open ? html`<button class="link" onClick=${open}>${title}</button>` : title;
}

function Grown({ now, before }) {
  return html`<span class=${now > before ? "warn" : "good"}>${change(now, before)}</span>`;
}
