// Customers, teams and virtual keys as a tree: who has spent how much of what, and everything that can be done with them.
import { html, useState } from "../core/html.js";
import { Problem, ask, useData } from "../core/api.js";
import { param, setParams } from "../core/router.js";
import { percent, plural, usd } from "../core/format.js";
import { Confirm, toast } from "../ui/dialog.js";
import { Icon } from "../ui/icons.js";
import { ItemForm, backTo } from "../ui/itemform.js";
import { NewSecret } from "../ui/secret.js";
import { Badge, Card, Meter, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { NewBudget, Raise, send } from "./budget_forms.js";

const SCHEMA = { customer: "CustomerNew", team: "TeamNew", key: "KeyNew" };
const FIRST = { customer: ["name"], team: ["name", "customer"], key: ["name", "team", "owner", "expires"] };
const PLURAL = { customer: "customers", team: "teams", key: "keys" };

export default function Accounts() {
  const data = useData("/api/accounts", 10_000);
  const [doing, setDoing] = useState(null);
  const done = (text) => {
    setDoing(null);
    data.reload();
    if (text) toast(text);
  };
  const add = (kind) => html`<button class="button" onClick=${() => setDoing({ what: "new", kind })}><${Icon} name="plus" />${kind === "key" ? "Virtual key" : kind[0].toUpperCase() + kind.slice(1)}</button>`;
  return html`<${Head} title="Accounts" sub="Who may use this gateway, and what they have spent of it.">${add("customer")}${add("team")}${add("key")}</${Head}>
    <${Await} of=${data}>${(tree) => html`<${Tree} accounts=${tree.accounts} onDo=${(what, of) => setDoing({ what, of, kind: of.kind })} />`}</${Await}>
    ${doing && html`<${Doing} of=${doing} accounts=${data.data?.accounts || []} done=${done} close=${() => setDoing(null)} />`}`;
}

/** Depth first: customers, their teams, their keys; then what hangs nowhere. */
function ordered(accounts, q, all) {
  const wanted = (one) => (all || one.active) && (!q || `${one.name} ${one.owner} ${one.parent}`.toLowerCase().includes(q.toLowerCase()));
  const below = (kind, parent) => accounts.filter((one) => one.kind === kind && one.parent === parent);
  const rows = [];
  const put = (one, depth, children) => {
    const at = rows.length;
    for (const child of children) put(...child(depth + 1));
    if (rows.length > at || wanted(one)) rows.splice(at, 0, { ...one, depth });
  };
  const team = (one) => (depth) => [one, depth, below("key", one.name).map((key) => (deep) => [key, deep, []])];
  for (const one of accounts.filter((each) => each.kind === "customer")) put(one, 0, below("team", one.name).map(team));
  for (const one of below("team", "")) put(...team(one)(0));
  for (const one of below("key", "")) put(one, 0, []);
  return rows;
}

function Tree({ accounts, onDo }) {
  const q = param("q");
  const all = param("all") === "1";
  const rows = ordered(accounts, q, all);
  const gone = accounts.filter((one) => !one.active).length;
  const columns = [
    { name: "name", title: "Account", cell: (one) => html`<${Name} of=${one} />` },
    { name: "owner", title: "Owner", class: "clip roomy", cell: (one) => one.owner || html`<span class="quiet">–</span>` },
    { name: "budget", title: "Budget", hint: "Its tightest", class: "roomy", cell: (one) => html`<${Tightest} of=${one} />` },
    { name: "spent", title: "Spent", number: true, cell: (one) => (one.budget ? html`<${Usd} of=${one.budget.spent_usd} /> <span class="quiet">of ${usd(one.budget.limit_usd)}</span>` : html`<span class="quiet">no budget</span>`) },
    { name: "until", title: "Starts anew", cell: (one) => (one.budget ? html`<${When} of=${one.budget.resets_at} relative />` : "") },
    { name: "do", title: html`<span class="unseen">Actions</span>`, number: true, class: "acts", cell: (one) => html`<${Actions} of=${one} onDo=${onDo} />` },
  ];
  const side = html`<div class="row"><input class="input" style=${{ width: "220px" }} type="search" placeholder="Name or owner" aria-label="Find accounts" value=${q}
      onInput=${(event) => setParams({ q: event.currentTarget.value }, { replace: true })} />
    ${gone > 0 && html`<label class="row small"><input type="checkbox" checked=${all} onChange=${() => setParams({ all: all ? "" : "1" })} /> with ${plural(gone, "revoked or ended one")}</label>`}</div>`;
  return html`<${Card} title=${plural(rows.length, "account")} side=${side} flush>
    ${rows.length ? html`<${Table} label="Accounts" columns=${columns} rows=${rows} rowKey=${(one) => `${one.kind} ${one.public_id || one.name}`} />` : html`<${Empty} title=${accounts.length ? "None fits" : "No accounts yet"}>${accounts.length ? "Change what you search for." : "Create a virtual key: each developer or machine gets one, and its spending is counted by it."}</${Empty}>`}
  </${Card}>`;
}

function Name({ of }) {
  const icon = { customer: "company", team: "team", key: "key" }[of.kind];
  return html`<div class="row" style=${{ paddingLeft: `${of.depth * 22}px`, flexWrap: "nowrap" }}>
    <span class="quiet" title=${of.kind}><${Icon} name=${icon} /></span><span class=${of.kind === "key" ? "" : "strong"} title=${of.name}>${of.name}</span>
    ${of.source === "config" && html`<${Badge} title="Defined in config.toml, and changed only there">config</${Badge}>`}
    ${!of.active && html`<${Badge} kind="bad">${of.revoked_at ? "revoked" : "off"}</${Badge}>`}
    ${of.problem && html`<${Badge} kind="warn" title=${of.problem}>not in force</${Badge}>`}
    ${of.active && of.expires && html`<${Badge} title=${of.expires}>until <${When} of=${of.expires} relative /></${Badge}>`}
  </div>`;
}

function Tightest({ of }) {
  if (!of.budget) return "";
  const label = `${of.budget.id}: ${percent(of.budget.share, 0)} used`;
  return html`<div style=${{ minWidth: "80px" }} title=${label}><${Meter} share=${of.budget.share} label=${label} /></div>`;
}

const SAYS = { budget: "A new budget for", raise: "Raise for a while the budget of" };

function Actions({ of, onDo }) {
  if (!of.active && of.revoked_at) return "";
  const button = (what, text, kind = "") => html`<button class=${`button bare ${kind}`} onClick=${() => onDo(what, of)} aria-label=${`${SAYS[what] || text} ${of.name}`} title=${SAYS[what] && `${SAYS[what]} ${of.name}`}>${text}</button>`;
  return html`<div class="row" style=${{ justifyContent: "flex-end", flexWrap: "nowrap", gap: 0 }}>
    ${of.budget && of.budget.source !== "config" && button("raise", html`<${Icon} name="up" />`)}${button("budget", html`<${Icon} name="budgets" />`)}
    ${of.source !== "config" && html`${of.kind === "key" && button("rotate", "Rotate")}${button("edit", "Edit")}${of.kind === "key" ? button("revoke", "Revoke", "danger") : button("delete", "Delete", "danger")}`}
  </div>`;
}

function Doing({ of: { what, kind, of }, accounts, done, close }) {
  const lists = { team: names(accounts, "team"), customer: names(accounts, "customer") };
  const path = `/api/${PLURAL[kind]}`;
  const [secret, setSecret] = useState(null);
  if (what === "budget") return html`<${NewBudget} scope=${{ kind, name: of.name }} done=${done} close=${close} />`;
  if (what === "raise") return html`<${Raise} id=${of.budget.id} done=${done} close=${close} />`;
  if (secret) return html`<${NewSecret} name=${secret.name} secret=${secret.key} onClose=${() => done()} />`;
  if (what === "new") {
    const made = (item) => (item.key ? setSecret(item) : done(`${item.name} is there.`));
    return html`<${ItemForm} title=${`New ${kind === "key" ? "virtual key" : kind}`} does="Create" schema=${SCHEMA[kind]} first=${FIRST[kind]} method="POST" path=${path} lists=${lists} onDone=${made} onClose=${close} />`;
  }
  const one = `${path}/${encodeURIComponent(of.public_id || of.name)}`;
  if (what === "edit") return html`<${Edit} kind=${kind} path=${one} lists=${lists} done=${done} close=${close} />`;
  return html`<${Sure} what=${what} of=${of} path=${one} setSecret=${setSecret} done=${done} close=${close} />`;
}

const names = (accounts, kind) => accounts.filter((one) => one.kind === kind).map((one) => one.name);

function Edit({ kind, path, lists, done, close }) {
  const now = useData(path);
  if (!now.data) return null;
  const before = now.data;
  const undo = (made) => () => send("PATCH", path, backTo(before, made), () => done("Undone."));
  const saved = (made) => {
    done();
    toast(`${made.name} is changed.`, { undo: undo(made) });
  };
  return html`<${ItemForm} title=${`Edit ${before.name}`} does="Save" schema=${SCHEMA[kind].replace("New", "Patch")} first=${FIRST[kind].slice(1)} method="PATCH" path=${path} etag="*" before=${before} lists=${lists} onDone=${saved} onClose=${close} />`;
}

const ASKS = {
  revoke: { title: "Revoke this key?", does: "Revoke it", method: "POST", end: "/revoke", text: "At once and for good: every call that shows it is refused. To replace its secret without a break, rotate it instead." },
  delete: { title: "Delete it?", does: "Delete it", method: "DELETE", end: "", text: "Calls that it made stay in the ledger. What refers to it has to go first." },
  rotate: { title: "Give it a new secret?", does: "Rotate", method: "POST", end: "/rotate", text: "The new secret is shown once. The old one goes on for a day, so that it can be replaced without a break." },
};
const OVERLAP_S = 86_400;

function Sure({ what, of, path, setSecret, done, close }) {
  const { title, does, method, end, text } = ASKS[what];
  const act = async () => {
    try {
      const { data } = await ask(method, path + end, { etag: "*", body: what === "rotate" ? { overlap_s: OVERLAP_S } : undefined });
      if (what === "rotate") setSecret(data);
      else done(what === "revoke" ? `${of.name} is revoked.` : `${of.name} is gone.`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(`${error.message} ${error.hint}`, { kind: "bad" });
      close();
    }
  };
  return html`<${Confirm} title=${title} does=${does} danger=${what !== "rotate"} onDo=${act} onClose=${close}><p><strong>${of.name}</strong></p><p class="small">${text}</p></${Confirm}>`;
}
