// The effective configuration: every key with its value and where that came from; and what of it is not in force.
import { html, useEffect, useState } from "../core/html.js";
import { useData } from "../core/api.js";
import { param, setParams } from "../core/router.js";
import { count, plural } from "../core/format.js";
import { Badge, Card } from "../ui/parts.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

const file = (path) => path.split("/").pop();

export function Configuration() {
  const data = useData("/api/config", 10_000);
  return html`<${Await} of=${data} lines=${14}>${(found) => html`<${Notices} of=${found} /><${Values} of=${found} />`}</${Await}>`;
}

function Notices({ of }) {
  const complaint = (one) => html`<li key=${`${one.key} ${one.message}`}><code>${file(one.source)}${one.line ? `:${one.line}` : ""}</code> ${one.key && html`<strong>${one.key}</strong> `}${one.message}</li>`;
  return html`
    ${of.problems.length > 0 && html`<section class="notice bad" role="alert"><div class="stack"><strong>The file as it is now cannot be used; what was read before stays in force.</strong><ul class="plain stack">${of.problems.map(complaint)}</ul></div></section>`}
    ${of.pending && !of.problems.length && html`<section class="notice warn" role="status">The file has changed, and is not in force yet. This takes a second.</section>`}
    ${of.broken.length > 0 && html`<section class="notice warn" aria-label="Not in force"><div class="stack"><strong>Defined, but not in force</strong><ul class="plain stack">${of.broken.map((one) => html`<li key=${`${one.kind} ${one.name}`}>${one.kind} <strong>${one.name}</strong> (${one.source}): ${one.problem}</li>`)}</ul></div></section>`}
    ${of.warnings.length > 0 && html`<section class="notice warn" aria-label="Warnings"><ul class="plain stack">${of.warnings.map(complaint)}</ul></section>`}`;
}

const SECRET = { set: ["good", "set"], missing: ["bad", "missing"], literal: ["warn", "in the file itself"] };

const COLUMNS = [
  { name: "key", title: "Key", cell: (one) => html`<code title=${one.key}>${one.key}</code>` },
  { name: "value", title: "Value", class: "clip", cell: (one) => html`<code title=${one.value}>${one.value}</code>${SECRET[one.secret] && html` <${Badge} kind=${SECRET[one.secret][0]}>${SECRET[one.secret][1]}</${Badge}>`}` },
  { name: "origin", title: "From", cell: (one) => (one.origin === "default" ? html`<span class="quiet">default</span>` : html`<span class="nowrap" title=${one.origin}>${file(one.origin)}</span>`) },
];

function Values({ of }) {
  const q = param("q");
  const said = param("said") === "1";
  const wanted = (one) => (!said || one.origin !== "default") && (!q || `${one.key} ${one.value} ${one.origin}`.toLowerCase().includes(q.toLowerCase()));
  const rows = of.values.filter(wanted);
  const parts = new Map();
  for (const one of rows) {
    const [part] = one.key.split(".");
    parts.set(part, [...(parts.get(part) || []), one]);
  }
  const side = html`<div class="row"><input class="input" style=${{ width: "240px" }} type="search" placeholder="Key, value or origin" aria-label="Find in the configuration" value=${q} onInput=${(event) => setParams({ q: event.currentTarget.value }, { replace: true })} />
    <label class="row small"><input type="checkbox" checked=${said} onChange=${() => setParams({ said: said ? "" : "1" })} /> without defaults</label></div>`;
  return html`<${Card} title=${html`${plural(rows.length, "value")} <span class="quiet small" style=${{ fontWeight: 400 }} title=${`Fingerprint ${of.fingerprint}`}>of ${count(of.values.length)}, <span title=${of.source}>${file(of.source)}</span>, version ${of.snapshot_version}</span>`} side=${side} label="Configuration" flush>
    ${!rows.length && html`<${Empty} title="None fits">Change what you search for.</${Empty}>`}
    ${[...parts].map(([part, values], at) => html`<${Part} key=${part} name=${part} values=${values} open=${Boolean(q) || at === 0} />`)}</${Card}>`;
}

function Part({ name, values, open }) {
  const [shown, setShown] = useState(open);
  useEffect(() => setShown(open), [open]);
  const said = values.filter((one) => one.origin !== "default").length;
  const id = `part-${name}`;
  return html`<section style=${{ borderTop: "1px solid var(--line)" }}>
    <button type="button" class="button bare" style=${{ width: "100%", justifyContent: "flex-start", borderRadius: 0, minHeight: "40px" }} aria-expanded=${shown ? "true" : "false"} aria-controls=${id} onClick=${() => setShown(!shown)}>
      <span aria-hidden="true" class="quiet">${shown ? "▾" : "▸"}</span><code>${name}</code><span class="quiet">${plural(values.length, "value")}${said > 0 && `, ${said} not by default`}</span></button>
    <div id=${id}>${shown && html`<${Table} label=${name} columns=${COLUMNS} rows=${values} rowKey=${(one) => one.key} />`}</div></section>`;
}
