// The way of one call: how the client asked, what decided where it went, and each attempt upstream.
import { html } from "../core/html.js";
import { Link } from "../core/router.js";
import { ms, plural } from "../core/format.js";
import { Badge, Card, Outcome, Usd } from "../ui/parts.js";
import { Table } from "../ui/table.js";

/** @type {Record<string, string>} */
const DIALECTS = {
  anthropic: "Anthropic Messages",
  chat: "OpenAI Chat Completions",
  responses: "OpenAI Responses",
  completions: "OpenAI Completions",
  embeddings: "OpenAI Embeddings",
  gemini: "Gemini",
  gemini_embeddings: "Gemini embeddings",
  converse: "Bedrock Converse",
  invoke: "Bedrock InvokeModel",
};

/** @type {Record<string, string>} */
const THEN = { again: "once more there", elsewhere: "elsewhere" };

/** What stands before the colon of a reason -> how it is said. @type {Record<string, (name: string) => string>} */
const REASONS = {
  rule: (name) => `the rule “${name}”`,
  route: (name) => `the route “${name}”`,
  tier: (name) => `where [tiers] sends ${name}`,
  named: () => "the client named the upstream",
  complexity: (name) => `complexity ${name.replace("->", ", so ")}`,
  kept: (name) => `kept on ${name}: its prompt cache is warm`,
  shadow: (name) => `the shadow rule “${name}” would have sent it elsewhere`,
};

/** @param {{of: any}} props */
export function Way({ of: { call, route, attempts } }) {
  const said = route.reasons.map((reason) => {
    const [kind, ...rest] = reason.split(":");
    return html`<span key=${reason} class="nowrap" title=${reason}>${(REASONS[kind] || (() => reason))(rest.join(":"))}</span>`;
  });
  return html`<${Card} title="The way it took"><div class="stack"><dl class="pairs">
      <dt>Client spoke</dt><dd>${DIALECTS[route.dialect] || route.dialect}</dd>
      <dt>Asked for</dt><dd>${route.requested_model || "–"}</dd>
      <dt>Sent as</dt><dd>${call.upstream ? route.sent_model || "–" : "–"}</dd>
      <dt>Upstream</dt><dd>${call.upstream ? html`${call.upstream}${route.provider && route.provider !== call.upstream && html` <span class="quiet">${route.provider}</span>`}` : "it went nowhere"}</dd>
      <dt>Why there</dt><dd>${said.length ? html`<span class="row">${said}</span>` : call.upstream ? "the first upstream that serves this model" : "–"}</dd>
      <dt>Attempts</dt><dd>${plural(attempts.count, "attempt")}${attempts.last_status ? `, the last answered ${attempts.last_status}` : ""}</dd>
      <dt>Upstream's id</dt><dd class="mono">${attempts.last_request_id || "–"}</dd></dl>
    ${attempts.left && html`<p class="warn small">The client saw nothing of this attempt: another one followed. It has a row because it may have been billed.</p>`}
  </div></${Card}>`;
}

/** Only where there was more than one. @param {{of: any}} props */
export function Attempts({ of: { call, attempts, timing } }) {
  if (!attempts.before.length && !attempts.rows.length) return null;
  return html`<${Card} title="Attempts" side=${html`<span class="small quiet">the client saw the last one alone</span>`} flush>
    ${attempts.before.length > 0 && html`<${Tried} call=${call} attempts=${attempts} timing=${timing} />`}
    ${attempts.rows.length > 0 && html`<${Rows} of=${attempts.rows} />`}</${Card}>`;
}

/** @param {{call: any, attempts: any, timing: any}} props */
function Tried({ call, attempts, timing }) {
  const before = attempts.before.map((one, at) => ({ ...one, at: at + 1 }));
  const failed = timing.steps.filter((one) => one.name.includes(" failed (")).at(-1);
  const took = Math.max(call.duration_ms - (failed?.to_ms || 0), 0);
  const rows = [...before, { at: before.length + 1, upstream: call.upstream, status: attempts.last_status, error: call.error, ms: took, then: "", outcome: call.outcome }];
  const longest = Math.max(...rows.map((one) => one.ms), 1);
  const columns = [
    { name: "at", title: "#", number: true, cell: (one) => one.at },
    { name: "upstream", title: "Upstream", cell: (one) => one.upstream },
    { name: "status", title: "Answered", cell: (one) => one.status || html`<span class="quiet">nothing</span>` },
    { name: "error", title: "Ended", cell: (one) => (one.outcome ? html`<${Outcome} of=${one.outcome} error=${one.error} />` : html`<${Badge} kind="bad" title=${one.error}>${one.error.replace(/^upstream_/, "").replaceAll("_", " ")}</${Badge}>`) },
    { name: "ms", title: "Took", number: true, cell: (one) => ms(one.ms) },
    { name: "share", title: "", cell: (one) => html`<div class="track" style=${{ minWidth: "90px" }}><i style=${{ left: 0, width: `${Math.max((one.ms / longest) * 100, 1)}%`, background: one.then ? "var(--bad)" : "var(--series-1)" }}></i></div>` },
    { name: "then", title: "Then", cell: (one) => THEN[one.then] || (attempts.left ? "another attempt" : "the client's answer") },
  ];
  return html`<${Table} label="Attempts" columns=${columns} rows=${rows} rowKey=${(one) => String(one.at)} />`;
}

/** Rows of the same request: what an attempt may have cost is never hidden in another's. @param {{of: any[]}} props */
function Rows({ of }) {
  return html`<div class="stack small" style=${{ padding: "12px 16px" }}><p class="quiet">What may have been billed is a row of its own. This request has ${of.length}:</p>
    ${of.map((one) => html`<p key=${one.call_id} class="row">${one.this ? html`<span class="mono">${one.call_id}</span> <${Badge}>this one</${Badge}>` : html`<${Link} class="mono" to=${`/logs/${encodeURIComponent(one.call_id)}`}>${one.call_id}</${Link}>`}
      <span>${one.upstream}</span><${Outcome} of=${one.outcome} error=${one.error} /><${Usd} of=${one.billed_usd} /></p>`)}</div>`;
}
