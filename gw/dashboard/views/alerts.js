// Alerts: what fires now, the rules and where they go, what there was; saying that one looks after it, or wants no word for a while.
import { html, useState } from "../core/html.js";
import { Problem, ask, useData } from "../core/api.js";
import { duration, plural } from "../core/format.js";
import { toast } from "../ui/dialog.js";
import { Icon } from "../ui/icons.js";
import { More, useMore } from "../ui/more.js";
import { Badge, Card, Copy, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { Shown, Silence, Tested } from "./alerts_dialogs.js";

const SEVERITY = { info: "accent", warning: "warn", critical: "bad" };
const BEGIN = `[[notify]]
name = "ops"
kind = "slack"
url = "env:GW_SLACK_URL"

[[alert]]
name = "budgets"
kind = "budget_threshold"
at = [0.8, 1]`;

export default function Alerts() {
  const data = useData("/api/alerts", 5_000);
  const [doing, setDoing] = useState(null);
  const act = async (method, path, body, said) => {
    try {
      await ask(method, path, { body });
      setDoing(null);
      data.reload();
      toast(said);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(`${error.message} ${error.hint}`, { kind: "bad" });
    }
  };
  const acknowledge = (one) => act("POST", `/api/alerts/history/${one.id}/acknowledge`, {}, "Noted: you look after it.");
  const again = (rule, subject = "") => act("DELETE", `/api/alerts/${encodeURIComponent(rule)}/silence${subject ? `?subject=${encodeURIComponent(subject)}` : ""}`, undefined, `${rule} is told of again.`);
  return html`<${Head} title="Alerts" sub="What is watched, what fires now, and whom it was told to." />
    <${Await} of=${data} lines=${10}>${(found) =>
      found.items.length || found.history.length ? html`<${Firing} rules=${found.items} onDo=${setDoing} onAcknowledge=${acknowledge} />
        <${Rules} rules=${found.items} onDo=${setDoing} onAgain=${again} />
        <${Channels} channels=${found.channels} />
        <${History} of=${found} onDo=${setDoing} />` : html`<${First} />`}</${Await}>
    ${doing?.what === "silence" && html`<${Silence} rule=${doing.rule} of=${doing.of} onDo=${(body) => act("POST", `/api/alerts/${encodeURIComponent(doing.rule)}/silence`, body, `${doing.rule} is silenced.`)} onClose=${() => setDoing(null)} />`}
    ${doing?.what === "test" && html`<${Tested} rule=${doing.rule} onClose=${() => setDoing(null)} />`}
    ${doing?.what === "show" && html`<${Shown} of=${doing.of} onAcknowledge=${acknowledge} onClose=${() => setDoing(null)} />`}`;
}

function First() {
  return html`<${Card}><${Empty} title="Nothing is watched yet">Add a channel and a rule to config.toml, such as these; they are in force within a second.</${Empty}>
    <div class="stack" style=${{ maxWidth: "520px", margin: "0 auto" }}><pre class="code" tabindex="0">${BEGIN}</pre><div><${Copy} text=${BEGIN} label="Copy the lines" /></div></div></${Card}>`;
}

const GRAVE = ["critical", "warning", "info"];
const SHOWN_MAX = 6;

function Firing({ rules, onDo, onAcknowledge }) {
  const [all, setAll] = useState(false);
  const grave = (one) => (one.acknowledged_at ? GRAVE.length : GRAVE.indexOf(one.severity));
  const firing = rules.flatMap((rule) => rule.firing).sort((a, b) => grave(a) - grave(b) || (a.fired_at < b.fired_at ? 1 : -1));
  if (!firing.length) return html`<section class="notice" aria-label="Firing"><span class="good"><${Icon} name="check" /></span><span>Nothing fires.</span></section>`;
  const shown = all ? firing : firing.slice(0, SHOWN_MAX);
  return html`<${Card} title=${plural(firing.length, "alert fires", "alerts fire")} label="Firing" flush>
    <ul class="plain">${shown.map((one) => html`<${One} key=${one.id} of=${one} onDo=${onDo} onAcknowledge=${onAcknowledge} />`)}</ul>
    ${firing.length > SHOWN_MAX && html`<div class="row" style=${{ padding: "10px 16px", borderTop: "1px solid var(--line)" }}><button type="button" class="button bare" onClick=${() => setAll(!all)}>${all ? "Fewer" : `${firing.length - SHOWN_MAX} more`}</button></div>`}</${Card}>`;
}

function One({ of, onDo, onAcknowledge }) {
  const button = (text, act) => html`<button type="button" class="button" onClick=${act} aria-label=${`${text}: ${of.title}`}>${text}</button>`;
  return html`<li class="row spread" style=${{ padding: "12px 16px", borderTop: "1px solid var(--line)" }}>
    <div class="stack" style=${{ flex: "1 1 300px", gap: "3px" }}>
      <p class="row" style=${{ flexWrap: "nowrap", alignItems: "flex-start" }}><${Badge} kind=${SEVERITY[of.severity]}>${of.severity}</${Badge}><button type="button" class="link" style=${{ fontWeight: 600 }} onClick=${() => onDo({ what: "show", of })}>${of.title}</button></p>
      <p class="small quiet">${of.rule}, since <${When} of=${of.fired_at} relative />${of.advice && ` · ${of.advice}`}</p>
      ${(of.acknowledged_at || !of.told_at) && html`<p class="row">${of.acknowledged_at && html`<${Badge} kind="good">looked after by ${of.acknowledged_by}</${Badge}>`}${!of.told_at && html`<${Badge}>silenced</${Badge}>`}</p>`}
    </div>
    <span class="row">${!of.acknowledged_at && button("I look after it", () => onAcknowledge(of))}${button("Silence", () => onDo({ what: "silence", rule: of.rule, of }))}</span>
  </li>`;
}

function State({ of, onAgain }) {
  const whole = of.silences.find((one) => !one.subject);
  if (!of.active) return html`<${Badge} title="active = false in config.toml">off</${Badge}>`;
  return html`<span class="row">${of.firing.length ? html`<${Badge} kind=${SEVERITY[of.severity]}>${plural(of.firing.length, "fires", "fire")}</${Badge}>` : html`<${Badge} kind="good">quiet</${Badge}>`}
    ${whole && html`<${Badge} title=${`${whole.by}: ${whole.reason || "no reason given"}`}>silenced until <${When} of=${whole.until} /></${Badge}>`}
    ${of.silences.filter((one) => one.subject).map((one) => html`<button key=${one.subject} type="button" class="button bare" title=${`${one.by}: ${one.reason || "no reason given"}`} onClick=${() => onAgain(of.name, one.subject)} aria-label=${`Tell again of ${one.subject}`}><span class="clip" style=${{ maxWidth: "180px" }}>${one.subject}</span> <${Icon} name="close" size=${12} /></button>`)}</span>`;
}

function Rules({ rules, onDo, onAgain }) {
  const columns = [
    { name: "name", title: "Rule", cell: (one) => html`<strong>${one.name}</strong>` },
    { name: "kind", title: "Watches", cell: (one) => one.kind.replaceAll("_", " ") },
    { name: "severity", title: "Severity", cell: (one) => html`<${Badge} kind=${SEVERITY[one.severity]}>${one.severity}</${Badge}>` },
    { name: "state", title: "Now", cell: (one) => html`<${State} of=${one} onAgain=${onAgain} />` },
    { name: "channels", title: "Told to", cell: (one) => one.channels.join(", ") || html`<span class="warn">nobody</span>` },
    { name: "do", title: html`<span class="unseen">Actions</span>`, number: true, cell: (one) => html`<span class="row" style=${{ justifyContent: "flex-end", flexWrap: "nowrap" }}>
      <button type="button" class="button bare" disabled=${!one.channels.length} onClick=${() => onDo({ what: "test", rule: one.name })} aria-label=${`Test ${one.name}`}>Test</button>
      ${one.silences.some((each) => !each.subject) ? html`<button type="button" class="button bare" onClick=${() => onAgain(one.name)} aria-label=${`Tell again of ${one.name}`}>Tell again</button>` : html`<button type="button" class="button bare" onClick=${() => onDo({ what: "silence", rule: one.name })} aria-label=${`Silence ${one.name}`}>Silence</button>`}</span>` },
  ];
  return html`<${Card} title="Rules" side=${html`<span class="small quiet">[[alert]] in config.toml</span>`} flush>${rules.length ? html`<${Table} label="Rules" columns=${columns} rows=${rules} rowKey=${(one) => one.name} />` : html`<${Empty} title="No rules any more">What there was stands below.</${Empty}>`}</${Card}>`;
}

const OUTCOME = { sent: "good", "given up": "bad", "": "warn" };

function Channels({ channels }) {
  const columns = [
    { name: "name", title: "Channel", cell: (one) => html`<strong>${one.name}</strong>` },
    { name: "kind", title: "Kind", cell: (one) => one.kind },
    { name: "rules", title: "Rules", cell: (one) => one.rules.join(", ") || html`<span class="quiet">none</span>` },
    { name: "last", title: "Last message", cell: (one) => (one.last ? html`<span class="row"><${Badge} kind=${OUTCOME[one.last.outcome]}>${one.last.outcome || "is tried"}</${Badge}> <${When} of=${one.last.done_at || one.last.made_at} relative /></span>` : html`<span class="quiet">none yet</span>`) },
    { name: "said", title: "It answered", class: "clip", cell: (one) => html`<span title=${one.last?.said}>${one.last?.said || "–"}</span>` },
  ];
  return html`<${Card} title="Channels" side=${html`<span class="small quiet">[[notify]] in config.toml</span>`} flush>${channels.length ? html`<${Table} label="Channels" columns=${columns} rows=${channels} rowKey=${(one) => one.name} />` : html`<${Empty} title="No channels">Nobody is told anything: add a [[notify]] to config.toml.</${Empty}>`}</${Card}>`;
}

function History({ of, onDo }) {
  const last = of.history.length ? of.history[of.history.length - 1].id : 0;
  const more = useMore(of, "/api/alerts/history?limit=50", last);
  const rows = [...of.history, ...more.items];
  const columns = [
    { name: "fired", title: "Fired", cell: (one) => html`<${When} of=${one.fired_at} />` },
    { name: "title", title: "What", cell: (one) => html`<button type="button" class="link" style=${{ minWidth: "240px" }} onClick=${() => onDo({ what: "show", of: one })}>${one.title}</button>` },
    { name: "rule", title: "Rule", cell: (one) => one.rule },
    { name: "severity", title: "Severity", cell: (one) => html`<${Badge} kind=${SEVERITY[one.severity]}>${one.severity}</${Badge}>` },
    { name: "lasted", title: "Lasted", number: true, cell: (one) => (one.resolved_at ? duration((Date.parse(one.resolved_at) - Date.parse(one.fired_at)) * 1000) : html`<span class="bad">fires</span>`) },
    { name: "told", title: "Told", cell: (one) => told(one) },
    { name: "who", title: "Looked after by", cell: (one) => one.acknowledged_by || html`<span class="quiet">–</span>` },
  ];
  return html`<${Card} title="History" flush>${rows.length ? html`<${Table} label="History" columns=${columns} rows=${rows} rowKey=${(one) => one.id} onOpen=${(one) => onDo({ what: "show", of: one })} />` : html`<${Empty} title="Nothing has fired yet">Test a rule to see whether its channels work.</${Empty}>`}
    <${More} of=${more} title="Older ones" /></${Card}>`;
}

function told(one) {
  if (!one.told_at) return html`<${Badge}>silenced</${Badge}>`;
  const failed = one.deliveries.filter((each) => each.outcome === "given up");
  const waiting = one.deliveries.filter((each) => !each.outcome);
  if (failed.length) return html`<${Badge} kind="bad" title=${failed[0].said}>${failed[0].channel} failed</${Badge}>`;
  if (waiting.length) return html`<${Badge} kind="warn" title=${waiting[0].said}>is tried</${Badge}>`;
  return [...new Set(one.deliveries.map((each) => each.channel))].join(", ") || html`<span class="quiet">nobody</span>`;
}
