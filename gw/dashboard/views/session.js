// One session: what made it cost what it did, turn by turn and agent by agent.
import { html } from "../core/html.js";
import { literal, useData } from "../core/api.js";
import { Link } from "../core/router.js";
import { count, duration, ms, percent, plural, short, usd, undated } from "../core/format.js";
import { Chart } from "../ui/chart.js";
import { Badge, Bar, Card, Copy, Outcome, Stat, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await } from "../ui/states.js";
import { Table } from "../ui/table.js";

const LIMIT = 500;

/** @param {{id: string}} props */
export default function Session({ id }) {
  const data = useData(`/api/sessions/${encodeURIComponent(id)}?limit=${LIMIT}`, 10_000);
  return html`<${Head} title="Session" sub=${html`<span class="mono">${id}</span>`}><${Link} class="button" to="/logs" query=${{ session_id: literal(id), range: "90d", from: undefined, to: undefined }}>All calls</${Link}><${Copy} text=${id} label="Copy the id" /></${Head}>
    <${Await} of=${data} lines=${12}>${(found) => html`<${Page} of=${found} />`}</${Await}>`;
}

function Page({ of }) {
  const sum = (name) => of.accounts.reduce((total, one) => total + one[name], 0);
  const prompt = sum("input_tokens") + sum("cache_read_tokens") + sum("cache_write_tokens");
  const began = of.accounts.map((one) => one.started_at).sort()[0];
  const ended = of.accounts.map((one) => one.ended_at).sort().at(-1);
  const again = of.calls.filter((one) => one.again_tokens > 0);
  return html`
    <div class="grid stats">
      <${Stat} label="Cost" figure=${html`<${Usd} of=${of.billed_usd} />`} note=${of.accounts.map((one) => one.key || "own credential").join(", ")} />
      <${Stat} label="Turns" figure=${count(of.turns.length)} note=${plural(sum("calls"), "call")} />
      <${Stat} label="Length" figure=${duration((Date.parse(ended) - Date.parse(began)) * 1000)} note=${html`since <${When} of=${began} />`} />
      <${Stat} label="From the cache" figure=${prompt ? percent(sum("cache_read_tokens") / prompt, 0) : "–"} note=${`of ${short(prompt)} prompt tokens`} />
      <${Stat} label="Agents" figure=${count(of.agents.length)} note=${of.agents.length > 1 ? "the main one and its subagents" : "the main one alone"} />
    </div>
    <div class="grid own"><${Reasons} of=${of} /><${Agents} of=${of} /></div>
    <${Card} title="Cost of each turn, and all together"><${Turns} of=${of} /></${Card}>
    ${again.length > 0 && html`<${Again} calls=${again} />`}
    <${Calls} of=${of} />`;
}

function Reasons({ of }) {
  return html`<${Card} title="What made it cost this"><div class="stack">${of.reasons.map((one) => html`<${Bar} key=${one.slug} label=${html`<span title=${one.said}>${one.said}</span>`} name=${one.said} share=${one.permille / 1000} figure=${`${(one.permille / 10).toFixed(0)} %`} />`)}
    ${!of.reasons.length && html`<p class="small quiet">It has cost nothing.</p>`}</div></${Card}>`;
}

function Agents({ of }) {
  const columns = [
    { name: "agent", title: "Agent", cell: (one) => html`<span style=${{ paddingLeft: `${one.depth * 18}px` }} class=${`nowrap ${one.agent_id ? "mono" : ""}`} title=${one.agent_id}>${one.agent_id ? `↳ ${one.agent_id.slice(0, 9)}` : "main"}</span>` },
    { name: "models", title: "Models", class: "clip", cell: (one) => html`<span title=${one.models.join(", ")}>${[...new Set(one.models.map(undated))].join(", ")}</span>` },
    { name: "calls", title: "Calls", number: true, cell: (one) => count(one.calls) },
    { name: "own", title: "Its own", number: true, cell: (one) => html`<${Usd} of=${one.billed_usd} />` },
    { name: "all", title: "In all", hint: "With the subagents that it began", number: true, cell: (one) => html`<${Usd} of=${one.total_usd} />` },
  ];
  return html`<${Card} title="Agents" flush><${Table} label="Agents" columns=${columns} rows=${of.agents} rowKey=${(one) => one.agent_id} /></${Card}>`;
}

function Turns({ of }) {
  const times = of.turns.map((one) => Date.parse(one.started_at) / 1000);
  const series = [
    { name: "all so far", values: of.turns.map((one) => Number(one.cumulated_usd)), color: 1 },
    { name: "this turn", values: of.turns.map((one) => Number(one.billed_usd)), color: 2 },
  ];
  return html`<${Chart} kind="line" times=${times} series=${series} format=${(value) => usd(value.toFixed(4))} label="Cost of each turn" hourly height=${220} />`;
}

const CAUSES = { expired: "the cache had expired", model_changed: "another model answered", compacted: "the conversation was compacted", prefix_changed: "what came before had changed", not_cached: "the cache was not used at all" };

function Again({ calls }) {
  const columns = [
    { name: "at", title: "When", cell: (one) => html`<${When} of=${one.started_at} />` },
    { name: "tokens", title: "Tokens paid for again", number: true, cell: (one) => count(one.again_tokens) },
    { name: "cost", title: "Cost of it", number: true, cell: (one) => html`<${Usd} of=${one.again_usd} />` },
    { name: "cause", title: "Probably because", cell: (one) => html`${CAUSES[one.cause] || one.cause || "–"}${one.gap_ms > 0 && html` <span class="quiet">${duration(one.gap_ms * 1000)} after the call before</span>`}` },
  ];
  return html`<${Card} title="Billed again, though it had been in the cache" flush><${Table} label="Prompts that were paid for again" columns=${columns} rows=${calls} rowKey=${(one) => one.call_id} to=${(one) => `/logs/${one.call_id}`} /></${Card}>`;
}

function Calls({ of }) {
  const columns = [
    { name: "at", title: "Began", cell: (one) => html`<${When} of=${one.started_at} />` },
    { name: "outcome", title: "Outcome", cell: (one) => html`<${Outcome} of=${one.outcome} />` },
    { name: "agent", title: "Agent", cell: (one) => (one.agent_id ? html`<${Badge} title=${one.agent_id}>${one.agent_id.slice(0, 9)}</${Badge}>` : "main") },
    { name: "model", title: "Model", class: "clip", cell: (one) => one.model },
    { name: "prompt", title: "Prompt", number: true, cell: (one) => short(one.prompt_tokens) },
    { name: "hit", title: "From the cache", number: true, cell: (one) => (one.prompt_tokens ? percent(one.hit_permille / 1000, 0) : "–") },
    { name: "output", title: "Output", number: true, cell: (one) => short(one.output_tokens) },
    { name: "took", title: "Took", number: true, cell: (one) => ms(one.duration_ms) },
    { name: "cost", title: "Cost", number: true, cell: (one) => html`<${Usd} of=${one.billed_usd} />` },
  ];
  const title = of.next_cursor ? `The first ${of.calls.length} calls` : plural(of.calls.length, "call");
  return html`<${Card} title=${title} flush><${Table} label="Calls of the session" columns=${columns} rows=${of.calls} rowKey=${(one) => one.call_id} to=${(one) => `/logs/${one.call_id}`} /></${Card}>`;
}
