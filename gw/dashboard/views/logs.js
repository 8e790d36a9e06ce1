// Every call: found by words and filters, page by page, or as they happen.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { filtered, literal, search, useData } from "../core/api.js";
import { follow } from "../core/live.js";
import { param, place, setParams } from "../core/router.js";
import { session } from "../core/session.js";
import { count, ms, plural, short, undated } from "../core/format.js";
import { range } from "../core/range.js";
import { Icon } from "../ui/icons.js";
import { RangePicker } from "../ui/range.js";
import { More, useMore } from "../ui/more.js";
import { Badge, Card, Outcome, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

export const FILTERS = ["team", "key", "customer", "model", "project", "upstream", "route", "dialect", "budget", "shadowed", "kind", "context_window", "outcome", "status", "error", "session_id", "agent_id", "client_version", "device", "service_tier", "speed", "inference_geo"];
const OUTCOMES = ["completed", "refused", "upstream_error", "client_gone", "timed_out", "stopped", "gw_error"];
const ATLEAST = { "billed_usd.gte": "cost at least", "duration_ms.gte": "ms at least", "output_tokens.gte": "output at least", "failed_attempts.gte": "failed attempts at least" };
const SOUGHT = ["q", "content"]; // in names and ids; in what was said
const PAGE = 50;
const LIVE_MAX = 300;

/** What the address bar asks for. */
function wanted() {
  const query = place.value.query;
  /** @type {Record<string, string>} */
  const found = Object.fromEntries([...FILTERS, ...Object.keys(ATLEAST)].filter((name) => query.has(name)).map((name) => [name, query.get(name) || ""]));
  for (const name of SOUGHT) if (param(name)) found[name] = param(name);
  return found;
}

export default function Logs() {
  const live = param("live") === "1";
  const filters = wanted();
  if (live) delete filters.content; // what was said is indexed some time after the call
  const turn = html`<button class=${`button ${live ? "first" : ""}`} aria-pressed=${live ? "true" : "false"} onClick=${() => setParams({ live: live ? "" : "1", content: "" })} title="Calls as they end"><${Icon} name=${live ? "pause" : "play"} />Live</button>`;
  const { since, to } = range();
  const csv = `/api/logs.csv${search({ since, until: to })}${filtered(filters)}`;
  return html`<${Head} title="Logs" sub="Every call, with what it cost and why.">${!live && html`<${RangePicker} />`}${turn}<a class="button" href=${csv} download="calls.csv"><${Icon} name="export" />CSV</a></${Head}>
    <${Filters} filters=${filters} live=${live} />
    ${live ? html`<${Live} key=${JSON.stringify(filters)} filters=${filters} />` : html`<${Pages} key=${JSON.stringify(filters)} filters=${filters} />`}`;
}

/** Title, what the empty box says, what may be written. */
const PLACES = {
  q: ["In names and ids", "Name, model, error, tag, id…", "Names in any case and anywhere, ids by their beginning"],
  content: ["In what was said", 'refund "credit card" invoi*', "All of these words; in quotes: beside each other; with a * at its end: any ending"],
};

function Filters({ filters, live }) {
  const [text, setText] = useState(param("content") || param("q"));
  const [where, setWhere] = useState(param("content") ? "content" : "q");
  const may = Boolean(session.value?.searches) && !live;
  const place = may ? where : "q";
  const submit = (event) => {
    event.preventDefault();
    setParams({ q: "", content: "", [place]: text.trim() });
  };
  const add = (event) => {
    const [name, value] = event.currentTarget.value.split("=");
    if (name) setParams({ [name]: value });
    event.currentTarget.value = "";
  };
  return html`<div class="row">
    <form class="row" onSubmit=${submit} role="search"><input class="input" style=${{ width: "260px" }} type="search" placeholder=${PLACES[place][1]} title=${PLACES[place][2]} aria-label="Find calls" value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      ${may && html`<select class="input" style=${{ width: "auto" }} aria-label="Where to look" value=${place} onChange=${(event) => setWhere(event.currentTarget.value)}>${Object.entries(PLACES).map(([name, [title]]) => html`<option key=${name} value=${name}>${title}</option>`)}</select>`}
      <button class="button"><${Icon} name="search" />Find</button></form>
    <select class="input" style=${{ width: "auto" }} aria-label="Add a filter" onChange=${add}><option value="">Add a filter…</option>
      <optgroup label="Outcome">${OUTCOMES.map((one) => html`<option key=${one} value=${`outcome=${one}`}>${one.replaceAll("_", " ")}</option>`)}</optgroup>
      <optgroup label="Cost">${["0.01", "0.1", "1", "10"].map((one) => html`<option key=${one} value=${`billed_usd.gte=${one}`}>at least $${one}</option>`)}</optgroup>
      <optgroup label="Took">${[["1000", "1 s"], ["10000", "10 s"], ["60000", "a minute"]].map(([one, said]) => html`<option key=${one} value=${`duration_ms.gte=${one}`}>at least ${said}</option>`)}</optgroup>
      <optgroup label="Attempts"><option value="failed_attempts.gte=1">more than one</option></optgroup></select>
    ${Object.entries(filters).filter(([name]) => !SOUGHT.includes(name)).map(([name, value]) => html`<button key=${name} class="button" title="Take this filter away" onClick=${() => setParams({ [name]: "" })}>
      <span class="quiet">${ATLEAST[name] || name.replace("_id", "").replaceAll("_", " ")}</span> <span class="clip" style=${{ maxWidth: "220px" }}>${value || "none"}</span> <${Icon} name="close" size=${12} /></button>`)}
  </div>`;
}

const by = (name, value, said = value) => html`<button class="link clip" style=${{ maxWidth: "160px" }} title=${`Only ${value}`} onClick=${() => setParams({ [name]: literal(value) })}>${said}</button>`;

/** @type {import("../ui/table.js").Column[]} */
export const COLUMNS = [
  { name: "ended_at", title: "Ended", sort: "ended_at", cell: (one) => html`<${When} of=${one.ended_at} />` },
  { name: "cost", title: "Cost", number: true, sort: "billed_usd", cell: (one) => (one.unpriced ? html`<${Badge} kind="warn">no price</${Badge}>` : html`<${Usd} of=${one.billed_usd} />`) },
  { name: "outcome", title: "Outcome", cell: (one) => html`<span class="row" style=${{ flexWrap: "nowrap" }}><${Outcome} of=${one.outcome} error=${one.error} />${one.failed_attempts > 0 && html`<${Badge} kind="warn" title=${`${plural(one.failed_attempts, "attempt")} failed before the last`}>+${one.failed_attempts}</${Badge}>`}</span>` },
  { name: "key", title: "Key", class: "clip", cell: (one) => (one.key ? by("key", one.key) : html`<span class="quiet" title="The client's own credential">own</span>`) },
  { name: "team", title: "Team", class: "clip", cell: (one) => one.team && by("team", one.team) },
  { name: "model", title: "Model", cell: (one) => html`<span class="row" style=${{ flexWrap: "nowrap" }}>${by("model", one.model, undated(one.model))}${one.agent_id && html`<${Badge} title=${`Subagent ${one.agent_id}`}>sub</${Badge}>`}</span>` },
  { name: "upstream", title: "Upstream", class: "clip", cell: (one) => one.upstream && by("upstream", one.upstream) },
  { name: "project", title: "Project", class: "clip", cell: (one) => one.project && by("project", one.project) },
  { name: "prompt", title: "Prompt", number: true, hint: "Input, read from and written to the cache", cell: (one) => html`<span title=${`${count(one.cache_read_tokens)} from the cache`}>${short(one.input_tokens + one.cache_read_tokens + one.cache_write_5m_tokens + one.cache_write_1h_tokens)}</span>` },
  { name: "output", title: "Output", number: true, cell: (one) => short(one.output_tokens) },
  { name: "took", title: "Took", number: true, sort: "duration_ms", cell: (one) => html`<span title=${one.ttft_ms ? `First token after ${ms(one.ttft_ms)}` : "No token came"}>${ms(one.duration_ms)}</span>` },
];
/** Who signed in with a key sees nothing but its own. */
const HIDDEN = () => (session.value?.role === "key" ? ["key", "team"] : []);

/** Where all went the same way, no column says so. @param {any[]} rows */
function shown(rows) {
  const one = new Set(rows.map((row) => row.upstream).filter(Boolean)).size < 2;
  const hidden = one ? ["upstream", ...HIDDEN()] : HIDDEN();
  return COLUMNS.filter((column) => !hidden.includes(column.name));
}

const to = (one) => `/logs/${one.call_id}`;

function Pages({ filters }) {
  const { since, to: until } = range();
  const sort = param("sort") || "-ended_at";
  const path = `/api/logs${search({ since, until, sort, limit: PAGE })}${filtered(filters)}`;
  const first = useData(path);
  const more = useMore(first.data, path);
  return html`<${Await} of=${first} lines=${12}>${(page) => {
    const rows = [...page.items, ...more.items];
    if (!rows.length) return html`<${Card}><${Empty} title="No call fits">Choose a longer range, or take a filter away.</${Empty}></${Card}>`;
    const title = page.count_is === "exact" ? plural(page.count, "call") : `${count(page.count)}+ calls`;
    return html`<${Card} title=${title} flush><${Table} label="Calls" columns=${shown(rows)} rows=${rows} rowKey=${(one) => one.call_id} to=${to} sort=${sort} onSort=${(value) => setParams({ sort: value === "-ended_at" ? "" : value })} />
      <${More} of=${more} end="That is all." /></${Card}>`;
  }}</${Await}>`;
}

function Live({ filters }) {
  const [rows, setRows] = useState(/** @type {any[]} */ ([]));
  const [open, setOpen] = useState(false);
  const [lost, setLost] = useState(0);
  const [held, setHeld] = useState(false);
  const waiting = useRef(/** @type {any[]} */ ([]));
  const stands = useRef(false);
  stands.current = held;
  useEffect(() => {
    // A page draws a few times a second, however many calls there are.
    const timer = setInterval(() => {
      if (stands.current || !waiting.current.length) return;
      const fresh = waiting.current.reverse();
      waiting.current = [];
      setRows((old) => [...fresh, ...old].slice(0, LIVE_MAX));
    }, 250);
    const end = follow(filters, { call: (call) => waiting.current.push(call) > LIVE_MAX && waiting.current.shift(), lost: (amount) => setLost((old) => old + amount), open: setOpen });
    return () => {
      clearInterval(timer);
      end();
    };
  }, []);
  const title = html`<span class="row"><i class=${`dot ${open ? "good" : "warn"}`}></i>${open ? "Live" : "Connecting…"}${lost > 0 && html`<${Badge} kind="warn" title="They are in the log; this page was too slow for them">${plural(lost, "call")} passed over</${Badge}>`}</span>`;
  const side = html`<button class="button" onClick=${() => setHeld(!held)}><${Icon} name=${held ? "play" : "pause"} />${held ? "Go on" : "Hold still"}</button>`;
  return html`<${Card} title=${title} side=${side} label="Live calls" flush>
    ${rows.length ? html`<${Table} label="Calls as they end" columns=${shown(rows)} rows=${rows} rowKey=${(one) => one.call_id} to=${to} />` : html`<${Empty} title="Waiting for the next call">Calls stand here as they end.</${Empty}>`}</${Card}>`;
}
