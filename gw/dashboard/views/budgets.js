// Budgets: where every account stands in each, when it starts anew, and where it goes at its present pace.
import { html, useState } from "../core/html.js";
import { literal, useData } from "../core/api.js";
import { Link, param, setParams } from "../core/router.js";
import { percent, plural, usd } from "../core/format.js";
import { Confirm, toast } from "../ui/dialog.js";
import { Icon } from "../ui/icons.js";
import { BurnDown } from "../ui/burn.js";
import { Badge, Card, Choices, Meter, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { EditBudget, NewBudget, Raise, send, takeBack } from "./budget_forms.js";

const MODES = { hard: ["accent", "refuses what would pass the limit"], soft: ["", "warns"], shadow: ["", "only notes what it would have refused"] };

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
    <${Await} of=${data}>${(found) => html`<${List} budgets=${found.budgets} now=${found.as_of} onDo=${(what, id) => setDoing({ what, id })} onTakeBack=${(id, position) => takeBack(id, position, done)} />`}</${Await}>
    ${doing && html`<${Doing} of=${doing} done=${done} close=${() => setDoing(null)} />`}`;
}

const SHOWN = [["all", "All"], ["near", "Over 80 %"], ["over", "Projected over"]];

function List({ budgets, now, onDo, onTakeBack }) {
  const shown = param("show") || "all";
  const wanted = (one) => shown === "all" || (shown === "near" ? one.share >= 0.8 : one.exhausted_at !== null || one.share >= 1);
  const cut = budgets.map((one) => ({ ...one, accounts: one.accounts.filter(wanted) })).filter((one) => shown === "all" || one.accounts.length);
  if (!budgets.length) return html`<${Card}><${Empty} title="No budgets yet">A budget stops spending before it happens: per customer, team, key, model, project or session, and per hour, day, week or month.</${Empty}></${Card}>`;
  return html`<div class="row"><${Choices} label="Which" options=${SHOWN} value=${shown} onChoose=${(value) => setParams({ show: value === "all" ? "" : value })} /></div>
    ${!cut.length && html`<${Card}><${Empty} title="None">No account is there.</${Empty}></${Card}>`}
    ${cut.map((one) => html`<${Budget} key=${one.id} of=${one} now=${now} onDo=${onDo} onTakeBack=${onTakeBack} />`)}`;
}

function Budget({ of, now, onDo, onTakeBack }) {
  const [kind, says] = MODES[of.mode] || ["", ""];
  const title = html`<span class="row"><span>${of.id}</span><${Badge} kind=${kind} title=${says}>${of.mode}</${Badge}>
    <span class="quiet small">${of.each ? "each " : ""}${of.scope} ${of.name} · ${of.window}${of.resets_at && html`, anew <${When} of=${of.resets_at} relative />`}</span>
    ${of.raised.map((one) => html`<${Badge} key=${one.position} kind="accent">+${usd(one.limit_usd)} until <${When} of=${one.until} /></${Badge}>${of.source !== "config" && html`<button class="button bare" onClick=${() => onTakeBack(of.id, one.position)} aria-label=${`Take back ${usd(one.limit_usd)} of ${of.id}`}>Take back</button>`}`)}</span>`;
  const side = html`<span class="row">${of.mode !== "soft" && html`<${Link} class="small" to="/logs" query=${refused(of)}>${of.mode === "hard" ? "What it refused" : "What it would have refused"}</${Link}>`}
    ${of.source === "config" ? html`<span class="quiet small">in config.toml</span>` : html`<${Actions} id=${of.id} onDo=${onDo} />`}</span>`;
  const columns = [
    { name: "account", title: "Account", cell: (one) => one.standing.account },
    { name: "meter", title: "Used", cell: (one) => html`<${Used} of=${one} />` },
    { name: "burn", class: "roomy", title: "Left, over the window", hint: "As it went so far, by the ledger's hours; dashed: on at the average pace; dotted: spent evenly", cell: (one) => html`<${BurnDown} of=${one} at=${of.history_at} now=${now} />` },
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

/** In its window, as the log finds it. */
const refused = (of) => ({ [of.mode === "hard" ? "budget" : "shadowed"]: literal(of.id), range: undefined, from: of.started_at || undefined, to: undefined });

function Actions({ id, onDo }) {
  return html`<button class="button bare" onClick=${() => onDo("raise", id)} aria-label=${`Raise for a while: ${id}`}>Raise for a while</button>
    <button class="button bare" onClick=${() => onDo("edit", id)} aria-label=${`Edit ${id}`}>Edit</button>
    <button class="button bare danger" onClick=${() => onDo("delete", id)} aria-label=${`Delete ${id}`}>Delete</button>`;
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
  if (what === "new") return html`<${NewBudget} done=${done} close=${close} />`;
  if (what === "raise") return html`<${Raise} id=${id} done=${done} close=${close} />`;
  if (what === "edit") return html`<${EditBudget} id=${id} done=${done} close=${close} />`;
  const act = () => send("DELETE", `/api/budgets/${encodeURIComponent(id)}`, undefined, () => done(`${id} is gone.`), close);
  return html`<${Confirm} title="Delete this budget?" does="Delete it" onDo=${act} onClose=${close}><p><strong>${id}</strong></p><p class="small">Nothing is refused on its account from then on. What was spent stays in the ledger.</p></${Confirm}>`;
}
