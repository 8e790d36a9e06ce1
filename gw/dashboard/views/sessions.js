// Sessions: the dearest or the newest first.
import { html } from "../core/html.js";
import { search, useData } from "../core/api.js";
import { param, setParams } from "../core/router.js";
import { session } from "../core/session.js";
import { count, duration, percent, plural, short } from "../core/format.js";
import { range } from "../core/range.js";
import { RangePicker } from "../ui/range.js";
import { More, useMore } from "../ui/more.js";
import { Badge, Card, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

const PAGE = 50;
const prompt = (one) => one.input_tokens + one.cache_read_tokens + one.cache_write_tokens;
const COLUMNS = [
  { name: "session", title: "Session", cell: (one) => html`<span class="mono" title=${one.session_id}>${one.session_id.slice(0, 8) || "none"}</span>` },
  { name: "key", title: "Key", class: "clip", cell: (one) => one.key || html`<span class="quiet" title="The client's own credential">own</span>` },
  { name: "team", title: "Team", class: "clip", cell: (one) => one.team },
  { name: "began", title: "Began", cell: (one) => html`<${When} of=${one.started_at} />` },
  { name: "ended", title: "Last call", sort: "ended_at", cell: (one) => html`<${When} of=${one.ended_at} relative />` },
  { name: "length", title: "Length", number: true, cell: (one) => duration((Date.parse(one.ended_at) - Date.parse(one.started_at)) * 1000) },
  { name: "calls", title: "Calls", number: true, sort: "calls", cell: (one) => html`${count(one.calls)}${one.failed > 0 && html` <${Badge} kind="warn" title="did not complete">${one.failed}</${Badge}>`}` },
  { name: "prompt", title: "Prompt", hint: "Tokens: input, read from and written to the cache", number: true, cell: (one) => short(prompt(one)) },
  { name: "cache", title: "Cached", hint: "What was read from the cache, of the prompts", number: true, cell: (one) => (prompt(one) ? percent(one.cache_read_tokens / prompt(one), 0) : "–") },
  { name: "output", title: "Output", number: true, cell: (one) => short(one.output_tokens) },
  { name: "cost", title: "Cost", number: true, sort: "billed_usd", cell: (one) => html`<${Usd} of=${one.billed_usd} />` },
];

export default function Sessions() {
  const sort = param("sort") || "-billed_usd";
  return html`<${Head} title="Sessions" sub="What each conversation with Claude Code has cost."><${RangePicker} /></${Head}><${Pages} key=${sort} sort=${sort} />`;
}

function Pages({ sort }) {
  const { since, to } = range();
  const path = `/api/sessions${search({ since, until: to, sort, limit: PAGE })}`;
  const first = useData(path);
  const more = useMore(first.data, path);
  const columns = session.value?.role === "key" ? COLUMNS.filter((one) => one.name !== "key" && one.name !== "team") : COLUMNS;
  return html`<${Await} of=${first} lines=${12}>${(page) => {
    const rows = [...page.items, ...more.items];
    if (!rows.length) return html`<${Card}><${Empty} title="No sessions">In this time. Claude Code names its sessions by itself.</${Empty}></${Card}>`;
    return html`<${Card} title=${page.count_is === "exact" ? plural(page.count, "session") : `${count(page.count)}+ sessions`} flush><${Table} label="Sessions" columns=${columns} rows=${rows} rowKey=${(one) => `${one.session_id} ${one.key_id} ${one.credential}`}
      to=${(one) => `/sessions/${encodeURIComponent(one.session_id)}`} sort=${sort} onSort=${(value) => setParams({ sort: value === "-billed_usd" ? "" : value })} />
      <${More} of=${more} /></${Card}>`;
  }}</${Await}>`;
}
