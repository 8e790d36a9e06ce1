// One call: what it was, where its time went, and why it cost what it did.
import { html, useState } from "../core/html.js";
import { useData } from "../core/api.js";
import { Link } from "../core/router.js";
import { session } from "../core/session.js";
import { count, ms, placesOf, size, usd, usdExact } from "../core/format.js";
import { Badge, Card, Copy, Outcome, Stat, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { Attempts, Way } from "./call_way.js";

/** @param {{id: string}} props */
export default function Call({ id }) {
  const data = useData(`/api/logs/${encodeURIComponent(id)}`);
  return html`<${Head} title="Call" sub=${html`<span class="mono">${id}</span>`}><${Copy} text=${id} label="Copy the id" /></${Head}>
    <${Await} of=${data} lines=${12}>${(found) => html`<${Page} of=${found} />`}</${Await}>`;
}

function Page({ of }) {
  const { call, cost } = of;
  return html`
    <div class="grid stats">
      <${Stat} label="Cost" figure=${html`<${Usd} of=${cost.now_usd} />`} note=${cost.list_usd === cost.billed_usd ? "at list price" : `list ${usd(cost.list_usd)}`} title=${usdExact(cost.now_usd)} />
      <${Stat} label="Took" figure=${ms(call.duration_ms)} note=${call.ttft_ms ? `first token after ${ms(call.ttft_ms)}` : "no token came"} />
      <${Stat} label="Prompt" figure=${count(call.tokens - call.output_tokens)} note=${`${count(call.cache_read_tokens)} from the cache`} />
      <${Stat} label="Output" figure=${count(call.output_tokens)} note=${call.stop_reason || "–"} />
      <${Stat} label="Outcome" figure=${html`<${Outcome} of=${call.outcome} />`} note=${call.error ? html`<span style=${{ overflowWrap: "anywhere" }}>${call.error}</span>` : `status ${call.status}`} />
    </div>
    <div class="grid"><${Cost} of=${cost} /><${Timing} of=${of} /></div>
    <${Attempts} of=${of} />
    <div class="grid" style=${{ gridTemplateColumns: "repeat(auto-fit, minmax(min(100%, 290px), 1fr))" }}><${Way} of=${of} /><${Who} of=${of} /><${What} call=${call} /></div>
    ${session.value?.role === "admin" && html`<${Conversation} path=${of.links.conversation} />`}`;
}

function Cost({ of }) {
  const columns = [
    { name: "what", title: "What", cell: (one) => html`${one.what}${one.extra && html` <${Badge}>extra</${Badge}>`}` },
    { name: "count", title: "Count", number: true, cell: (one) => count(one.count) },
    { name: "rate", title: "Rate", number: true, hint: "Per token or request", cell: (one) => html`<span class="nowrap" title=${usdExact(one.rate_usd)}>${perMillion(one)}</span>` },
    { name: "amount", title: "Amount", number: true, cell: (one) => html`<span class="nowrap" data-amount=${one.amount_usd}>$${one.amount_usd}</span>` },
  ];
  return html`<${Card} title="Why it cost this" side=${html`<${Badge} title="How its usage is known" kind=${of.usage_source === "exact" ? "good" : "warn"}>${of.usage_source}</${Badge}>`} flush>
    ${of.parts.length > 0 && html`<${Table} label="Parts of the cost" columns=${columns} rows=${of.parts} foot=${html`<tr><th scope="row" colspan="3">Billed</th><td class="number nowrap" data-billed=${of.billed_usd}>$${of.billed_usd}</td></tr>`} />`}
    <div class="stack small" style=${{ padding: "12px 16px" }}>
      ${of.multipliers.map((one) => html`<p key=${one.name}>${one.about}${one.factor && ` (× ${one.factor})`}</p>`)}
      ${of.adjustments.map((one) => html`<p key=${one.id}><${Badge} kind="accent">adjusted</${Badge}> <${Usd} of=${one.billed_usd} /> ${one.reason}</p>`)}
      ${of.said && html`<p class="warn">${of.said}</p>`}
      <p class="quiet">${of.card ? html`Price of <span class="mono">${of.card}</span> from ${of.source}${of.rates_from && html`, in force since <${When} of=${of.rates_from} />`}${of.override && html`, with the override “${of.override}”`}.` : "There is no price for this model: it counts as 0 until it has one."}</p>
    </div></${Card}>`;
}

/** Rates are read per million. */
function perMillion(one) {
  const rate = Number(one.rate_usd);
  return rate < 0.001 ? `$${(rate * 1e6).toLocaleString("en-US", { minimumFractionDigits: placesOf(rate * 1e6) && 2, maximumFractionDigits: 4 })} / M` : usd(one.rate_usd);
}

function Timing({ of }) {
  const { timing, call } = of;
  const whole = Math.max(call.duration_ms, 1);
  return html`<${Card} title="Where its time went"><div class="stack">
    ${timing.steps.map((one, at) => html`<div class="bar" key=${one.name}><span>${one.name}</span><span>${ms(one.to_ms - one.from_ms)}</span>
      <div class="track"><i style=${{ left: `${(one.from_ms / whole) * 100}%`, width: `${Math.max(((one.to_ms - one.from_ms) / whole) * 100, 0.5)}%`, background: one.name.includes(" failed (") ? "var(--bad)" : `var(--series-${(at % 8) + 1})` }}></i></div></div>`)}
    <dl class="pairs"><dt>Began</dt><dd><${When} of=${timing.started_at} /></dd><dt>Ended</dt><dd><${When} of=${timing.ended_at} /></dd></dl></div></${Card}>`;
}

function Who({ of: { identity } }) {
  return html`<${Card} title="Whose it was"><dl class="pairs">
    <dt>Key</dt><dd>${identity.key || html`own credential <span class="mono">${identity.credential}</span>`}</dd>
    <dt>Team</dt><dd>${identity.team || "–"}</dd><dt>Customer</dt><dd>${identity.customer || "–"}</dd><dt>Project</dt><dd>${identity.project || "–"}</dd>
    <dt>Session</dt><dd>${identity.session_id ? html`<${Link} to=${`/sessions/${encodeURIComponent(identity.session_id)}`} class="mono">${identity.session_id}</${Link}>` : "–"}</dd>
    <dt>Agent</dt><dd class=${identity.agent_id ? "mono" : ""}>${identity.agent_id || "the main one"}</dd><dt>Turn</dt><dd class="mono">${identity.prompt_id || "–"}</dd><dt>Device</dt><dd class="mono">${identity.device || "–"}</dd></dl></${Card}>`;
}

function What({ call }) {
  const mode = [call.service_tier, call.speed, call.inference_geo].filter(Boolean).join(", ");
  return html`<${Card} title="What it was"><dl class="pairs">
    <dt>Model</dt><dd>${call.requested_model}${call.served_model && call.served_model !== call.requested_model ? html` → ${call.served_model}` : ""}</dd>
    <dt>Client</dt><dd>${call.client_version || "–"}</dd><dt>Mode</dt><dd>${mode || "–"}${call.stream ? ", streamed" : ""}</dd>
    <dt>Request</dt><dd>${size(call.request_bytes)}</dd><dt>Answer</dt><dd>${size(call.response_bytes)}</dd>
    <dt>Tags</dt><dd>${call.tags || "–"}</dd><dt>Budget</dt><dd>${call.budget || "–"}${call.shadowed && html` <${Badge} title="A shadow budget would have refused it">${call.shadowed}</${Badge}>`}</dd>
    ${call.trace_id && html`<dt>Trace</dt><dd class="mono">${call.trace_id}</dd>`}</dl></${Card}>`;
}

/** Only asked for when somebody wants to read it: that is noted in the audit. */
function Conversation({ path }) {
  const [open, setOpen] = useState(false);
  return html`<${Card} title="Conversation"><details onToggle=${(event) => setOpen(event.currentTarget.open)}><summary class="small">Show what was said (noted in the audit)</summary>${open && html`<${Told} path=${path} />`}</details></${Card}>`;
}

function Told({ path }) {
  const data = useData(path);
  if (data.problem) return html`<${Empty} title="There is none">${data.problem.message} Content is stored only where <code>[content]</code> says so.</${Empty}>`;
  return html`<${Await} of=${data}>${(found) => html`<div class="stack" style=${{ marginTop: "12px" }}>${[...found.messages, ...(found.answer ? [found.answer] : [])].map((one, at) => html`<div key=${at} class="stack" style=${{ gap: "4px" }}><${Badge}>${one?.role || "?"}</${Badge}><pre class="code">${text(one)}</pre></div>`)}</div>`}</${Await}>`;
}

/** What was said as it was said; what is no text (tools, images) as JSON. */
function text(one) {
  if (!Array.isArray(one?.content)) return typeof one?.content === "string" ? one.content : JSON.stringify(one, null, 2);
  return one.content.map((block) => (typeof block?.text === "string" ? block.text : JSON.stringify(block, null, 2))).join("\n\n");
}
