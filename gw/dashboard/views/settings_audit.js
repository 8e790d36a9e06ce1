// The audit: who changed, saw or tried what, with each change field by field; and whether all of it is what it was.
import { html, useState } from "../core/html.js";
import { Problem, get, search, useData } from "../core/api.js";
import { param, setParams } from "../core/router.js";
import { count, plural } from "../core/format.js";
import { Dialog, toast } from "../ui/dialog.js";
import { Icon } from "../ui/icons.js";
import { More, useMore } from "../ui/more.js";
import { Badge, Card, When } from "../ui/parts.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

const KINDS = ["customer", "team", "key", "budget", "limit", "sign_in", "call", "content", "export", "report", "alert", "ledger"];
const ACTION = { create: "good", delete: "bad", revoke: "bad", refuse: "bad" };
const PAGE = 50;

export function Audit() {
  const query = { kind: param("kind"), name: param("name"), limit: PAGE };
  return html`<${Pages} key=${JSON.stringify(query)} query=${query} />`;
}

function Pages({ query }) {
  const path = `/api/audit${search(query)}`;
  const first = useData(path);
  const more = useMore(first.data, path);
  const [shown, setShown] = useState(null);
  const rows = [...(first.data?.items || []), ...more.items];
  return html`<${Verification} />
    <${Card} title="Entries" side=${html`<${Filter} kind=${query.kind} name=${query.name} />`} flush><${Await} of=${first} lines=${10}>${() => html`
      ${rows.length ? html`<${Table} label="Audit" columns=${columns(setShown)} rows=${rows} rowKey=${(one) => one.id} onOpen=${setShown} />` : html`<${Empty} title="No entries">${query.kind || query.name ? "None fits: change what you search for." : "Nothing has been changed yet."}</${Empty}>`}
      <${More} of=${more} title="Older ones" />`}</${Await}></${Card}>
    ${shown && html`<${Entry} of=${shown} onClose=${() => setShown(null)} />`}`;
}

function Filter({ kind, name }) {
  const [text, setText] = useState(name);
  const submit = (event) => {
    event.preventDefault();
    setParams({ name: text.trim() });
  };
  return html`<form class="row" role="search" onSubmit=${submit}>
    <select class="input" style=${{ width: "auto" }} aria-label="Only about this kind" value=${kind} onChange=${(event) => setParams({ kind: event.currentTarget.value })}><option value="">All kinds</option>${KINDS.map((one) => html`<option key=${one} value=${one}>${one.replaceAll("_", " ")}</option>`)}</select>
    <input class="input" style=${{ width: "180px" }} type="search" placeholder="Exact name" aria-label="Only about this name" value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
    <button class="button"><${Icon} name="search" />Find</button></form>`;
}

const columns = (onShow) => [
  { name: "at", title: "When", cell: (one) => html`<${When} of=${one.at} />` },
  { name: "actor", title: "Who", class: "clip", cell: (one) => html`<span title=${one.actor}>${one.actor}</span>` },
  { name: "action", title: "Did", cell: (one) => html`<${Badge} kind=${ACTION[one.action] || ""}>${one.action.replaceAll("_", " ")}</${Badge}>` },
  { name: "kind", title: "To", cell: (one) => html`<button type="button" class="link" onClick=${() => onShow(one)}>${one.kind.replaceAll("_", " ")} <strong>${one.name}</strong></button>` },
  { name: "what", title: "What", class: "clip", cell: (one) => html`<span class="quiet">${changed(one).map(([name]) => name.replaceAll("_", " ")).join(", ") || "–"}</span>` },
  { name: "via", title: "By way of", cell: (one) => one.via },
];

/** [field, before, after] of what differs. @returns {[string, unknown, unknown][]} */
function changed({ before, after }) {
  const names = [...new Set([...Object.keys(before || {}), ...Object.keys(after || {})])];
  return names.map((name) => /** @type {[string, unknown, unknown]} */ ([name, before?.[name], after?.[name]])).filter(([, old, now]) => JSON.stringify(old) !== JSON.stringify(now));
}

const text = (value) => (value === undefined || value === null || value === "" ? "–" : typeof value === "string" ? value : JSON.stringify(value));

function Entry({ of, onClose }) {
  const fields = changed(of);
  return html`<${Dialog} title=${`${of.kind.replaceAll("_", " ")} ${of.name}`} onClose=${onClose}>
    <dl class="pairs"><dt>When</dt><dd><${When} of=${of.at} /></dd><dt>Who</dt><dd>${of.actor}</dd><dt>Did</dt><dd>${of.action.replaceAll("_", " ")}, by way of ${of.via}</dd></dl>
    ${fields.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="What has changed"><table><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>
      <tbody>${fields.map(([name, old, now]) => html`<tr key=${name}><th scope="row">${name.replaceAll("_", " ")}</th><td>${text(old)}</td><td>${text(now)}</td></tr>`)}</tbody></table></div>`}
    <dl class="pairs"><dt>Entry</dt><dd>${count(of.id)}</dd><dt>Hash</dt><dd class="mono">${of.hash || "not chained"}</dd><dt>Of the one before</dt><dd class="mono">${of.prev_hash || "–"}</dd></dl>
  </${Dialog}>`;
}

function Verification() {
  const [ledger, setLedger] = useState(false);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState(null);
  const verify = async () => {
    setBusy(true);
    try {
      setFound((await get("/api/audit/verify", { ledger: ledger ? "true" : "" })).data);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(`${error.message} ${error.hint}`, { kind: "bad" });
    }
    setBusy(false);
  };
  return html`<${Card} title="Is it what it was?" side=${html`<span class="row"><label class="row small"><input type="checkbox" checked=${ledger} onChange=${() => setLedger(!ledger)} /> the ledger, too</label><button type="button" class="button" disabled=${busy} onClick=${verify}>${busy ? "Verifies…" : "Verify"}</button></span>`}>
    <div role="status" class="stack">${found ? html`<${Verdict} of=${found} />` : html`<p class="small quiet">Each entry holds the hash of the one before, and the last is signed from time to time: what was changed afterwards can be shown.</p>`}</div></${Card}>`;
}

function Verdict({ of }) {
  const findings = [...of.findings, ...(of.ledger?.findings || [])];
  return html`<p class="small"><${Badge} kind=${of.ok ? "good" : "bad"}>${of.ok ? "whole" : "not whole"}</${Badge}> ${plural(of.rows, "entry", "entries")}${of.unchained > 0 && `, ${count(of.unchained)} of earlier versions not chained`}; ${of.anchors ? html`${plural(of.anchors, "signature")}, the last <${When} of=${of.signed_at} relative /> up to entry ${count(of.signed_id)}` : "none is signed yet"}.</p>
    ${of.ledger && html`<p class="small"><${Badge} kind=${of.ledger.ok ? "good" : "bad"}>${of.ledger.ok ? "ledger whole" : "ledger not whole"}</${Badge}> ${plural(of.ledger.rows, "call")} in ${plural(of.ledger.blocks, "block")}${of.ledger.unchained > 0 && `, ${count(of.ledger.unchained)} not in one yet`}${of.ledger.gone > 0 && `, ${count(of.ledger.gone)} gone by retention`}.</p>`}
    ${findings.length > 0 && html`<ul class="plain stack">${findings.map((one, at) => html`<li key=${at} class="small bad">${one.what} ${one.row > 0 && count(one.row)}: ${one.said}</li>`)}</ul>`}`;
}
