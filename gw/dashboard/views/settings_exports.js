// Exports: how each stands, its runs, and running one now.
import { html, useState } from "../core/html.js";
import { Problem, ask, get, useData } from "../core/api.js";
import { ZONE, count, local, plural, size } from "../core/format.js";
import { Dialog, toast } from "../ui/dialog.js";
import { Field } from "../ui/form.js";
import { More, useMore } from "../ui/more.js";
import { Badge, Card, Choices, Copy, Usd, When } from "../ui/parts.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

const STATUS = { done: "good", failed: "bad", running: "accent", planned: "" };
const BEGIN = `[[export]]
name = "warehouse"
to = "file:///srv/gw"
what = "calls"
every = "hourly"`;
const LOOK_MS = 700;
const DAY_MS = 86_400_000;
const PATIENCE_MS = 60_000;

export function Exports() {
  const data = useData("/api/exports", 5_000);
  const [shown, setShown] = useState("");
  const [busy, setBusy] = useState("");
  const [asked, setAsked] = useState("");
  const run = async (name, between) => {
    setAsked("");
    setBusy(name);
    try {
      const said = await outcome(name, between);
      toast(said.text, { kind: said.kind });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(`${error.message} ${error.hint}`, { kind: "bad" });
    }
    setBusy("");
    data.reload();
  };
  return html`<${Await} of=${data}>${(found) => (found.items.length ? html`<${List} of=${found.items} busy=${busy} onRun=${setAsked} onShow=${setShown} />` : html`<${First} />`)}</${Await}>
    ${shown && html`<${Runs} name=${shown} onClose=${() => setShown("")} />`}
    ${asked && html`<${RunNow} of=${data.data.items.find((one) => one.name === asked)} onRun=${(between) => run(asked, between)} onClose=${() => setAsked("")} />`}`;
}

/** All that is due, or a window once more. */
function RunNow({ of, onRun, onClose }) {
  const [which, setWhich] = useState("due");
  const [since, setSince] = useState(local(Date.now() - DAY_MS));
  const [until, setUntil] = useState(local(Date.now()));
  const wrong = which === "window" && (!since || !until || since >= until) ? "ends before it begins" : "";
  const submit = (event) => {
    event.preventDefault();
    if (!wrong) onRun(which === "window" ? { since: new Date(since).toISOString(), until: new Date(until).toISOString() } : {});
  };
  const periods = of.what === "usage" || of.what === "focus";
  return html`<${Dialog} title=${`Run ${of.name} now`} onClose=${onClose}><form class="stack" onSubmit=${submit}>
    <${Choices} label="What to export" options=${[["due", "All that is due"], ["window", "A window once more"]]} value=${which} onChoose=${setWhich} />
    ${which === "due"
      ? html`<p class="small quiet">What has come since the last run goes out, each row once.</p>`
      : html`<p class="small quiet">${periods ? "Days and hours that lie within go out as a new revision, in the place of the one before." : "It goes into a folder of its own, beside what has gone out already."}</p>
        <${Field} label="From" type="datetime-local" value=${since} onInput=${setSince} required />
        <${Field} label="To" type="datetime-local" value=${until} onInput=${setUntil} wrong=${wrong} hint=${`In your time zone, ${ZONE}.`} required />`}
    <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button><button class="button first" disabled=${Boolean(wrong)}>Run it</button></div>
  </form></${Dialog}>`;
}

/** Asks for a run, and looks until the courier has answered. @param {string} name @param {{since?: string, until?: string}} between @returns {Promise<{text: string, kind: string}>} raises Problem */
async function outcome(name, between) {
  const path = `/api/exports/${encodeURIComponent(name)}/run`;
  const began = Date.now();
  let { data } = await ask("POST", path, { body: between });
  while (!data.outcome && Date.now() - began < PATIENCE_MS) {
    await new Promise((done) => setTimeout(done, LOOK_MS));
    ({ data } = await get(`${path}/${data.id}`));
  }
  if (!data.outcome) return { text: `${name} still runs: see its runs, and whether the courier is there (Status).`, kind: "warn" };
  if (data.outcome === "failed") return { text: `${name}: ${data.error}`, kind: "bad" };
  return { text: data.runs.length ? `${name}: ${plural(data.runs.length, "run")} done.` : `${name}: there was nothing new.`, kind: "" };
}

function First() {
  return html`<${Card}><${Empty} title="Nothing is exported">Calls, sums, charges for FinOps tools or the audit can go to a folder or an object store by themselves. Add to config.toml:</${Empty}>
    <div class="stack" style=${{ maxWidth: "520px", margin: "0 auto" }}><pre class="code" tabindex="0">${BEGIN}</pre><div><${Copy} text=${BEGIN} label="Copy the lines" /></div></div></${Card}>`;
}

function List({ of, busy, onRun, onShow }) {
  const columns = [
    { name: "name", title: "Export", cell: (one) => html`<button type="button" class="link" onClick=${() => onShow(one.name)}>${one.name}</button>` },
    { name: "what", title: "What", cell: (one) => html`<span class="nowrap">${one.what}, ${one.format}</span>` },
    { name: "to", title: "To", class: "clip", cell: (one) => html`<span title=${one.to}>${one.to}</span>` },
    { name: "every", title: "Every", cell: (one) => one.every || html`<span class="quiet">when asked</span>` },
    { name: "next", title: "Next", cell: (one) => (one.next_at ? html`<${When} of=${one.next_at} relative />` : "–") },
    { name: "last", title: "Last done", cell: (one) => (one.last ? html`<${When} of=${one.last.ended_at} relative /> <span class="quiet nowrap">${plural(one.last.rows, "row")}</span>` : html`<span class="quiet">never</span>`) },
    { name: "now", title: "Now", cell: (one) => (one.waiting ? html`<${Badge} kind=${STATUS[one.waiting.status]} title=${one.waiting.error}>${one.waiting.status}</${Badge}>` : html`<${Badge} kind=${one.last ? "good" : ""}>${one.last ? "up to date" : "waits"}</${Badge}>`) },
    { name: "do", title: html`<span class="unseen">Actions</span>`, number: true, cell: (one) => html`<button type="button" class="button" disabled=${Boolean(busy)} onClick=${() => onRun(one.name)} aria-label=${`Run ${one.name} now`}>${busy === one.name ? "Runs…" : "Run now"}</button>` },
  ];
  return html`<${Card} title=${plural(of.length, "export")} label="Exports" flush><${Table} label="Exports" columns=${columns} rows=${of} rowKey=${(one) => one.name} /></${Card}>`;
}

function Runs({ name, onClose }) {
  const path = `/api/exports/${encodeURIComponent(name)}/runs?limit=20`;
  const first = useData(path);
  const more = useMore(first.data, path);
  return html`<${Dialog} title=${`Runs of ${name}`} onClose=${onClose}><${Await} of=${first}>${(found) => {
    const rows = [...found.items, ...more.items];
    return rows.length ? html`<ul class="plain stack">${rows.map((one) => html`<${Run} key=${one.id} of=${one} />`)}</ul>
      <${More} of=${more} title="Older ones" />` : html`<p class="small quiet">It has not run yet.</p>`;
  }}</${Await}></${Dialog}>`;
}

function Run({ of }) {
  return html`<li class="small"><p class="row spread"><span><${Badge} kind=${STATUS[of.status]}>${of.status}</${Badge}> <${When} of=${of.ended_at || of.begun_at || of.planned_at} />${of.reason !== "schedule" && html` <span class="quiet">${of.reason}${of.asked_by && ` of ${of.asked_by}`}</span>`}</span>
    <span>${plural(of.rows, "row")}, ${plural(of.files, "file")}, ${size(of.bytes)}</span></p>
    <p class="quiet">${of.starts_at ? html`<${When} of=${of.starts_at} /> to <${When} of=${of.ends_at} />` : `numbers ${count(of.first)} to ${count(of.last)}`}${of.revision > 1 && `, revision ${of.revision}`}${of.totals.billed_usd && html`, <${Usd} of=${of.totals.billed_usd} />`}</p>
    ${of.error && html`<p class="bad">${of.error}</p>`}
    ${of.manifest && html`<p class="quiet mono clip" title=${of.manifest}>${of.manifest}</p>`}</li>`;
}
