// For whoever signed in with a virtual key: what its calls fall under, what is left of it, and how Claude Code is set up.
import { html } from "../core/html.js";
import { useData } from "../core/api.js";
import { count, duration, percent, usd } from "../core/format.js";
import { Badge, Card, Copy, Meter, Usd, When } from "../ui/parts.js";
import { setUp } from "../ui/secret.js";
import { Head } from "../ui/shell.js";
import { Await } from "../ui/states.js";
import { Table } from "../ui/table.js";

const WHOSE = { key: "my key", team: "my team", customer: "my organisation" };
const KINDS = { requests: "requests", input_tokens: "input tokens", output_tokens: "output tokens", tokens: "tokens", usd: "cost", parallel: "calls at the same time" };
const PLACEHOLDER = "gwk_...";
const STATUS_LINE = '{\n  "statusLine": { "type": "command", "command": "gw statusline", "refreshInterval": 10 }\n}';

export default function Me() {
  const data = useData("/api/mine", 5_000);
  return html`<${Head} title="My limits" sub="What my calls may cost, what is left, and how Claude Code is set up." />
    <${Await} of=${data} lines=${10}>${(found) => html`<${Page} of=${found} />`}</${Await}>`;
}

function Page({ of }) {
  return html`
    ${of.budgets.length > 0 && html`<div class="grid">${of.budgets.map((one) => html`<${Budget} key=${`${one.standing.id} ${one.standing.account}`} of=${one} />`)}</div>`}
    ${!of.budgets.length && html`<${Card} title="Budgets"><p class="small quiet">No budget is set for this key, its team or its organisation.</p></${Card}>`}
    <div class="grid"><${Limits} of=${of} /><${Key} of=${of} /></div>
    <${SetUp} of=${of} />`;
}

function Budget({ of }) {
  const { standing } = of;
  const limit = Number(standing.limit_usd) || 1;
  const title = html`<span class="row"><span>${standing.id}</span>${standing.mode !== "hard" && html`<${Badge} title="It does not refuse anything">${standing.mode}</${Badge}>`}</span>`;
  const kind = of.share >= 1 ? "bad" : of.share >= 0.8 ? "warn" : "";
  return html`<${Card} title=${title} label=${standing.id} side=${html`<span class="small quiet">${WHOSE[standing.scope] || standing.scope} ${standing.account}</span>`}><div class="stack">
    <p><strong class=${kind} style=${{ fontSize: "var(--text-xl)" }}><${Usd} of=${standing.remaining_usd} /></strong> <span class="quiet">left of <${Usd} of=${standing.limit_usd} /> ${standing.period}</span></p>
    <${Meter} share=${Number(standing.spent_usd) / limit} held=${Number(standing.reserved_usd) / limit} label=${`${standing.id}: ${percent(of.share, 0)} used`} />
    <p class="small quiet"><${Usd} of=${standing.spent_usd} /> spent${Number(standing.reserved_usd) > 0 && html`, <${Usd} of=${standing.reserved_usd} /> set aside for calls that run`}${standing.resets_at && html` · anew <${When} of=${standing.resets_at} relative />`}</p>
    <${Pace} of=${of} />
    ${standing.contact && html`<p class="small quiet">For more, ask ${standing.contact}.</p>`}
  </div></${Card}>`;
}

function Pace({ of }) {
  if (of.share >= 1) return html`<p class="small bad">It is used up.</p>`;
  if (of.exhausted_at) return html`<p class="small bad">At this pace it is used up <${When} of=${of.exhausted_at} relative />.</p>`;
  if (of.projected_usd === null) return null;
  return html`<p class="small quiet">At this pace, <${Usd} of=${of.projected_usd} /> by its end.</p>`;
}

const amount = (one, value) => (one.kind === "usd" ? usd(String(value)) : count(value));

function Limits({ of }) {
  const columns = [
    { name: "what", title: "Limit", cell: (one) => html`${KINDS[one.kind] || one.kind} <span class="quiet">of ${WHOSE[one.scope] || one.scope}</span>` },
    { name: "amount", title: "May be", number: true, cell: (one) => html`${amount(one, one.amount)}${one.per_s !== null && ` per ${duration(one.per_s * 1e6)}`}` },
    { name: "left", title: "Free now", number: true, cell: (one) => amount(one, one.available) },
    { name: "clears", title: "Next call", number: true, cell: (one) => (one.clears_in_s ? `in ${duration(one.clears_in_s * 1e6)}` : "now") },
  ];
  return html`<${Card} title="Limits" flush=${of.limits.length > 0}>${of.limits.length ? html`<${Table} label="Limits" columns=${columns} rows=${of.limits} rowKey=${(one) => `${one.id} ${one.account}`} />` : html`<p class="small quiet">No limit on how fast calls may come.</p>`}</${Card}>`;
}

function Key({ of }) {
  return html`<${Card} title="My key"><dl class="pairs">
    <dt>Name</dt><dd>${of.key}</dd><dt>Team</dt><dd>${of.team || "–"}</dd><dt>Organisation</dt><dd>${of.customer || "–"}</dd>
    <dt>Models</dt><dd>${of.models.join(", ") === "*" ? "all" : of.models.join(", ")}</dd>
    <dt>Ends</dt><dd>${of.expires_at ? html`<${When} of=${of.expires_at} />` : "never"}</dd>
    ${of.call_max_usd && html`<dt>One call</dt><dd>at most <${Usd} of=${of.call_max_usd} /></dd>`}
    ${of.call_max_output_tokens && html`<dt>One answer</dt><dd>at most ${count(of.call_max_output_tokens)} tokens</dd>`}
  </dl></${Card}>`;
}

function SetUp({ of }) {
  const lines = setUp(PLACEHOLDER, of.base_path);
  return html`<${Card} title="Set up Claude Code"><div class="stack">
    <p class="small">In the terminal, or in your shell's profile. Put your key in the place of <code>${PLACEHOLDER}</code>: the gateway keeps only its digest and cannot show it.</p>
    <pre class="code">${lines}</pre><div><${Copy} text=${lines} label="Copy the lines" /></div>
    <p class="small">What is left stands under every prompt with this in <code>~/.claude/settings.json</code>, and at any time with <code>gw me</code>:</p>
    <pre class="code">${STATUS_LINE}</pre><div><${Copy} text=${STATUS_LINE} label="Copy the setting" /></div>
  </div></${Card}>`;
}
