// Budgets: where every account stands in each, when it starts anew, and where it goes at its present pace.
import { html, useState } from "../core/html.js";
import { Problem, ask, useData } from "../core/api.js";
import { param, setParams } from "../core/router.js";
import { percent, plural, usd } from "../core/format.js";
import { Confirm, Dialog, toast } from "../ui/dialog.js";
import { Field } from "../ui/form.js";
import { Icon } from "../ui/icons.js";
import { BurnDown } from "../ui/burn.js";
import { ItemForm } from "../ui/itemform.js";
import { ScopeFields, scopeOf } from "../ui/scope.js";
import { Badge, Card, Choices, Meter, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";

const MODES = { hard: ["accent", "refuses what would pass the limit"], soft: ["", "warns"], shadow: ["", "only notes what it would have refused"] };
const FIRST = ["name", "each", "limit_usd", "window", "mode"];

export default function Budgets() {
  const data = useData("/api/standings", 5_000);
  const [doing, setDoing] = useState(null);
  const done = (text) => {
    setDoing(null);
    data.reload();
    if (text) toast(text);
  };
  return html`<${Head} title="Budgets" sub="What may be spent in each window, and what is left of it.">
      <button class="button first" onClick=${() => setDoing({ what: "new" })}><${Icon} name="plus" />Budget</button></${Head}>
    <${Await} of=${data}>${(found) => html`<${List} budgets=${found.budgets} now=${found.as_of} onDo=${(what, id) => setDoing({ what, id })} />`}</${Await}>
    ${doing && html`<${Doing} of=${doing} done=${done} close=${() => setDoing(null)} />`}`;
}

const SHOWN = [["all", "All"], ["near", "Over 80 %"], ["over", "Projected over"]];

function List({ budgets, now, onDo }) {
  const shown = param("show") || "all";
  const wanted = (one) => shown === "all" || (shown === "near" ? one.share >= 0.8 : one.exhausted_at !== null || one.share >= 1);
  const cut = budgets.map((one) => ({ ...one, accounts: one.accounts.filter(wanted) })).filter((one) => shown === "all" || one.accounts.length);
  if (!budgets.length) return html`<${Card}><${Empty} title="No budgets yet">A budget stops spending before it happens: per customer, team, key, model, project or session, and per hour, day, week or month.</${Empty}></${Card}>`;
  return html`<div class="row"><${Choices} label="Which" options=${SHOWN} value=${shown} onChoose=${(value) => setParams({ show: value === "all" ? "" : value })} /></div>
    ${!cut.length && html`<${Card}><${Empty} title="None">No account is there.</${Empty}></${Card}>`}
    ${cut.map((one) => html`<${Budget} key=${one.id} of=${one} now=${now} onDo=${onDo} />`)}`;
}

function Budget({ of, now, onDo }) {
  const [kind, says] = MODES[of.mode] || ["", ""];
  const title = html`<span class="row"><span>${of.id}</span><${Badge} kind=${kind} title=${says}>${of.mode}</${Badge}>
    <span class="quiet small">${of.each ? "each " : ""}${of.scope} ${of.name} · ${of.window}${of.resets_at && html`, anew <${When} of=${of.resets_at} relative />`}</span></span>`;
  const side = html`<span class="row"><button class="button bare" onClick=${() => onDo("raise", of.id)} aria-label=${`Raise for a while: ${of.id}`}>Raise for a while</button>
    <button class="button bare" onClick=${() => onDo("edit", of.id)} aria-label=${`Edit ${of.id}`}>Edit</button>
    <button class="button bare danger" onClick=${() => onDo("delete", of.id)} aria-label=${`Delete ${of.id}`}>Delete</button></span>`;
  const columns = [
    { name: "account", title: "Account", cell: (one) => one.standing.account },
    { name: "meter", title: "Used", cell: (one) => html`<${Used} of=${one} />` },
    { name: "burn", title: "Left, over the window", hint: "As it went so far, by the ledger's hours; dashed: on at the average pace; dotted: spent evenly", cell: (one) => html`<${BurnDown} of=${one} at=${of.history_at} now=${now} />` },
    { name: "share", title: "Share", number: true, cell: (one) => percent(one.share, 0) },
    { name: "spent", title: "Spent", number: true, cell: (one) => html`<${Usd} of=${one.standing.spent_usd} />` },
    { name: "held", title: "Set aside", number: true, hint: "For calls that run now", cell: (one) => html`<${Usd} of=${one.standing.reserved_usd} />` },
    { name: "left", title: "Left", number: true, cell: (one) => html`<${Usd} of=${one.standing.remaining_usd} />` },
    { name: "limit", title: "Limit", number: true, cell: (one) => html`<${Usd} of=${one.standing.limit_usd} />` },
    { name: "goes", title: "At this pace", number: true, hint: "The average since the window began, on to its end", cell: (one) => html`<${Goes} of=${one} />` },
  ];
  return html`<${Card} title=${title} side=${side} label=${of.id} flush>
    ${of.accounts.length ? html`<${Table} label=${`Accounts of ${of.id}`} columns=${columns} rows=${of.accounts} rowKey=${(one) => one.standing.account} />` : html`<p class="small quiet" style=${{ padding: "12px 16px" }}>Nothing has been spent here in this window.</p>`}
    ${of.hidden > 0 && html`<p class="small quiet" style=${{ padding: "8px 16px 12px" }}>And ${plural(of.hidden, "further account")}, such as sessions, that are not listed.</p>`}
  </${Card}>`;
}

function Used({ of }) {
  const { standing } = of;
  const limit = Number(standing.limit_usd) || 1;
  const spent = Number(standing.spent_usd) / limit;
  return html`<div style=${{ minWidth: "140px" }}><${Meter} share=${spent} held=${Number(standing.reserved_usd) / limit} label=${`${standing.account}: ${percent(of.share, 0)} used`} /></div>`;
}

function Goes({ of }) {
  if (of.projected_usd === null) return html`<span class="quiet" title="Too early in the window to say, or it never ends">–</span>`;
  if (of.exhausted_at) return html`<span class="bad" title=${`${usd(of.projected_usd)} by the end`}>spent <${When} of=${of.exhausted_at} relative /></span>`;
  return html`<${Usd} of=${of.projected_usd} />`;
}

function Doing({ of: { what, id }, done, close }) {
  const path = `/api/budgets/${encodeURIComponent(id || "")}`;
  if (what === "new") return html`<${New} done=${done} close=${close} />`;
  if (what === "raise") return html`<${Raise} id=${id} path=${`${path}/increases`} done=${done} close=${close} />`;
  if (what === "edit") return html`<${Edit} path=${path} done=${done} close=${close} />`;
  const act = () => send("DELETE", path, undefined, () => done(`${id} is gone.`), close);
  return html`<${Confirm} title="Delete this budget?" does="Delete it" onDo=${act} onClose=${close}><p><strong>${id}</strong></p><p class="small">Nothing is refused on its account from then on. What was spent stays in the ledger.</p></${Confirm}>`;
}

function New({ done, close }) {
  const [scope, setScope] = useState({ kind: "team", name: "" });
  return html`<${ItemForm} title="New budget" does="Create" schema="BudgetNew" first=${FIRST} method="POST" path="/api/budgets" fixed=${scopeOf(scope)}
    head=${(wrong) => html`<${ScopeFields} of=${scope} set=${setScope} wrong=${wrong} />`} onDone=${(made) => done(`${made.name} is in force.`)} onClose=${close} />`;
}

async function send(method, path, body, done, close) {
  try {
    await ask(method, path, { body, etag: "*" });
    done();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(`${error.message} ${error.hint}`, { kind: "bad" });
    close?.();
  }
}

function Edit({ path, done, close }) {
  const now = useData(path);
  if (now.problem) return html`<${Dialog} title="Edit" onClose=${close}><p>${now.problem.message}</p></${Dialog}>`;
  if (!now.data) return null;
  if (now.data.source === "config") return html`<${Dialog} title=${now.data.name} onClose=${close}><p class="small">It is defined in <code>config.toml</code>: change it there; it is taken over within a second.</p></${Dialog}>`;
  return html`<${ItemForm} title=${`Edit ${now.data.name}`} does="Save" schema="BudgetPatch" first=${["limit_usd", "window", "mode", "contact"]} method="PATCH" path=${path} etag="*" before=${now.data} onDone=${(made) => done(`${made.name} is changed.`)} onClose=${close} />`;
}

const FOR = [["86400", "A day"], ["259200", "Three days"], ["604800", "A week"], ["2592000", "30 days"]];

function Raise({ id, path, done, close }) {
  const [amount, setAmount] = useState("");
  const [seconds, setSeconds] = useState("86400");
  const [reason, setReason] = useState("");
  const act = (event) => {
    event.preventDefault();
    const until = new Date(Date.now() + Number(seconds) * 1000).toISOString();
    return send("POST", path, { limit_usd: amount.trim(), until, reason }, () => done(`${id} is raised by $${amount}.`));
  };
  return html`<${Dialog} title=${`Raise ${id} for a while`} onClose=${close}><form class="stack" onSubmit=${act}>
    <${Field} label="By (USD)" value=${amount} onInput=${setAmount} inputMode="decimal" focus required />
    <${Field} label="For" value=${seconds} onInput=${setSeconds} options=${FOR} />
    <${Field} label="Why" value=${reason} onInput=${setReason} hint="For those who look later; it stands in the audit." required />
    <div class="actions"><button type="button" class="button" onClick=${close}>Cancel</button><button class="button first" disabled=${!amount.trim() || !reason.trim()}>Raise it</button></div>
  </form></${Dialog}>`;
}
