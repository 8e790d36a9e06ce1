// How the gateway is: whether it serves, whether its books can be trusted, and each of its processes.
import { html } from "../core/html.js";
import { useData } from "../core/api.js";
import { count, duration, percent, plural, size } from "../core/format.js";
import { Badge, Bar, Card, Stat, Usd, When } from "../ui/parts.js";
import { Await } from "../ui/states.js";
import { Table } from "../ui/table.js";

const SILENT_US = 10_000_000;
const moment = (us) => (us ? new Date(us / 1000).toISOString() : null);

export function Status() {
  const data = useData("/api/status", 3_000);
  return html`<${Await} of=${data} lines=${12}>${(found) => html`<${Page} of=${found} />`}</${Await}>`;
}

function Page({ of }) {
  const { accounting } = of;
  return html`
    ${!of.ready && html`<section class="notice bad" role="alert"><div><strong>Not ready:</strong> ${of.reasons.join("; ")}</div></section>`}
    ${of.degraded.length > 0 && html`<section class="notice warn" role="status"><div>${of.degraded.join("; ")}</div></section>`}
    ${of.reload_problem && html`<section class="notice bad" role="alert"><div><strong>The configuration on disk is not in force:</strong> ${of.reload_problem}</div></section>`}
    <div class="grid stats">
      <${Stat} label="Gateway" figure=${of.draining ? "drains" : of.ready ? "serves" : "not ready"} kind=${of.ready && !of.draining ? "good" : "bad"} note=${html`since <${When} of=${of.started_at} relative />`} />
      <${Stat} label="The books" figure=${accounting.verdict === "ok" ? "can be trusted" : "with a doubt"} kind=${accounting.verdict === "ok" ? "good" : "warn"} note=${accounting.reasons.length ? plural(accounting.reasons.length, "reason") : "every check is good"} />
      <${Stat} label="Version" figure=${of.version} note=${html`configuration ${of.snapshot_version}, <${When} of=${of.snapshot_published_at} relative />`} />
      <${Stat} label="Calls that run now" figure=${count(of.workers.reduce((sum, one) => sum + one.in_flight, 0))} note=${`in ${plural(of.workers.length, "worker")}`} />
    </div>
    <div class="grid"><${Books} of=${accounting} /><${Ledger} of=${accounting.ledger} keeper=${of.keeper} /></div>
    <div class="grid"><${Workers} of=${of.workers} version=${of.snapshot_version} /><${Courier} of=${of.courier} /></div>`;
}

const PRICED = [["exact", "by the provider's own count"], ["observed", "by what was read of it"], ["estimated", "by estimate"]];

function Books({ of }) {
  const { priced, budgets } = of;
  return html`<${Card} title="Accounting"><div class="stack">
    ${of.reasons.map((one) => html`<p key=${one} class="small"><${Badge} kind="warn">doubt</${Badge}> ${one}</p>`)}
    ${priced ? html`<h3>How calls of the last ${plural(priced.hours, "hour")} were counted</h3>
      ${PRICED.map(([name, title]) => html`<${Bar} key=${name} label=${title} name=${`${title}: ${priced[name].percent} %`} share=${priced[name].percent / 100} figure=${html`<span class="quiet">${count(priced[name].calls)}</span> ${percent(priced[name].percent / 100)}`} />`)}
      ${priced.unpriced > 0 && html`<p class="small warn">${plural(priced.unpriced, "call")} without a price: ${priced.unpriced_models.join(", ")}</p>`}` : html`<p class="small quiet">Nobody has looked yet at how calls were counted; this takes a minute.</p>`}
    <h3>Budgets against the ledger</h3>
    <dl class="pairs"><dt>Compared</dt><dd>${plural(budgets.checked, "time")}, ${budgets.corrected ? html`<span class="warn">${count(budgets.corrected)} corrected</span>, by <${Usd} of=${budgets.drift_usd} /> in all` : "none was wrong"}</dd>
      <dt>Set aside</dt><dd>for ${plural(budgets.open_holds, "call")} that run</dd>
      ${budgets.hard_not_in_force > 0 && html`<dt>Not in force</dt><dd class="bad">${plural(budgets.hard_not_in_force, "hard budget")}</dd>`}</dl>
  </div></${Card}>`;
}

function Ledger({ of, keeper }) {
  const good = (is, yes, no) => html`<${Badge} kind=${is ? "good" : "bad"}>${is ? yes : no}</${Badge}>`;
  return html`<${Card} title="Ledger"><dl class="pairs">
    <dt>Database</dt><dd>${good(of.database_ok, "takes rows", "takes none")}</dd>
    <dt>Last written</dt><dd><${When} of=${moment(of.committed_us)} relative /></dd>
    <dt>Behind</dt><dd>${of.behind_s ? html`<span class=${of.behind_s > 30 ? "bad" : ""}>${duration(of.behind_s * 1e6)}</span>` : "not at all"}, ${size(of.backlog_bytes)} in journals</dd>
    <dt>Open calls</dt><dd>${count(of.open_calls)}${of.oldest_open_s > 0 && `, the oldest for ${duration(of.oldest_open_s * 1e6)}`}</dd>
    <dt>Damaged, refused</dt><dd class=${of.damaged + of.rejected ? "bad" : ""}>${count(of.damaged)}, ${count(of.rejected)} records</dd>
    <dt>Keeper</dt><dd>${keeper ? html`${good(keeper.state === "running", "runs", keeper.state)} process ${keeper.pid}, said so <${When} of=${moment(keeper.written_us)} relative />` : html`<span class="bad">has said nothing yet</span>`}</dd>
    ${keeper && html`<dt>Written by it</dt><dd>${plural(keeper.rows, "row")}${keeper.duplicates > 0 && `, ${count(keeper.duplicates)} twice and dropped`}${keeper.lost > 0 && html`, <span class="bad">${count(keeper.lost)} lost</span>`}</dd>`}
    ${keeper?.error && html`<dt>Its last error</dt><dd class="bad">${keeper.error}</dd>`}
  </dl></${Card}>`;
}

function Workers({ of, version }) {
  const columns = [
    { name: "index", title: "Worker", cell: (one) => html`<span class="nowrap" title=${`Worker ${one.index}`}>process ${one.pid}</span>` },
    { name: "since", title: "Since", cell: (one) => html`<${When} of=${one.started_at} relative />` },
    { name: "calls", title: "Calls now", number: true, cell: (one) => count(one.in_flight) },
    { name: "journal", title: "Journal", cell: (one) => html`<${Badge} kind=${one.journal_healthy ? "good" : "bad"}>${one.journal_healthy ? "good" : "cannot be written"}</${Badge}>` },
    { name: "config", title: "Config", number: true, cell: (one) => html`<span class=${one.snapshot_version === version ? "" : "warn"} title=${one.snapshot_version === version ? "That in force" : "It still has the one before"}>${one.snapshot_version}</span>` },
    { name: "silent", title: "Silent", number: true, cell: (one) => html`<span class=${`nowrap ${one.silent_ms > 5000 ? "bad" : ""}`}>${duration(one.silent_ms * 1000)}</span>` },
  ];
  return html`<${Card} title="Workers" flush><${Table} label="Workers" columns=${columns} rows=${of} rowKey=${(one) => one.index} /></${Card}>`;
}

const DUTY = { running: "good", paused: "bad", done: "" };

function Courier({ of }) {
  if (!of) return html`<${Card} title="Courier"><p class="small quiet">None has run yet. It starts by itself, after a while if nothing presses; exports, alerts and telemetry are its work.</p></${Card}>`;
  const silent = (Date.now() * 1000 - Date.parse(of.said_at) * 1000) > SILENT_US;
  const columns = [
    { name: "name", title: "Duty", cell: (one) => one.name },
    { name: "state", title: "Now", cell: (one) => html`<${Badge} kind=${DUTY[one.state]}>${one.state}</${Badge}>` },
    { name: "since", title: "Since", cell: (one) => html`<${When} of=${one.since} relative />` },
    { name: "failures", title: "Failures", number: true, cell: (one) => count(one.failures) },
    { name: "error", title: "Last one", class: "clip", cell: (one) => html`<span title=${one.error}>${one.error || "–"}</span>` },
  ];
  const side = html`<span class=${`small ${silent ? "bad" : "quiet"}`}>process ${of.pid}, heard of <${When} of=${of.said_at} relative /></span>`;
  return html`<${Card} title="Courier" side=${side} flush>${of.duties.length ? html`<${Table} label="Duties of the courier" columns=${columns} rows=${of.duties} rowKey=${(one) => one.name} />` : html`<p class="small quiet" style=${{ padding: "12px 16px" }}>Nothing is configured that it would have to do.</p>`}</${Card}>`;
}
