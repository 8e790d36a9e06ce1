// What is done with a budget: making one, raising it for a while, changing it.
import { html, useState } from "../core/html.js";
import { Problem, ask, useData } from "../core/api.js";
import { Dialog, toast } from "../ui/dialog.js";
import { Field } from "../ui/form.js";
import { ItemForm, backTo } from "../ui/itemform.js";
import { ScopeFields, scopeOf } from "../ui/scope.js";

const FIRST = ["name", "each", "limit_usd", "window", "mode"];
const CHANGED = ["limit_usd", "window", "mode", "contact"];

/** @param {string} id */
const pathOf = (id) => `/api/budgets/${encodeURIComponent(id)}`;

/** `scope`: whom the form begins with. @param {{scope?: import("../ui/scope.js").Scope, done: (text?: string) => void, close: () => void}} props */
export function NewBudget({ scope: start = { kind: "team", name: "" }, done, close }) {
  const [scope, setScope] = useState(start);
  return html`<${ItemForm} title="New budget" does="Create" schema="BudgetNew" first=${FIRST} method="POST" path="/api/budgets" fixed=${scopeOf(scope)}
    head=${(/** @type {(field: string) => string} */ wrong) => html`<${ScopeFields} of=${scope} set=${setScope} wrong=${wrong} />`}
    onDone=${(/** @type {any} */ made) => done(`${made.name} is in force.`)} onClose=${close} />`;
}

/** Asks the API, and says so if it does not do it. @param {string} method @param {string} path @param {unknown} body @param {(made: any) => void} done @param {() => void} [close] */
export async function send(method, path, body, done, close) {
  try {
    done((await ask(method, path, { body, etag: "*" })).data);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(`${error.message} ${error.hint}`, { kind: "bad" });
    close?.();
  }
}

/** @param {{id: string, done: (text?: string) => void, close: () => void}} props */
export function EditBudget({ id, done, close }) {
  const now = useData(pathOf(id));
  if (now.problem) return html`<${Dialog} title="Edit" onClose=${close}><p>${now.problem.message}</p></${Dialog}>`;
  if (!now.data) return null;
  const before = now.data;
  const saved = (/** @type {any} */ made) => {
    done();
    toast(`${id} is changed.`, { undo: () => send("PATCH", pathOf(id), backTo(before, made), () => done("Undone.")) });
  };
  return html`<${ItemForm} title=${`Edit ${id}`} does="Save" schema="BudgetPatch" first=${CHANGED} method="PATCH" path=${pathOf(id)} etag="*" before=${before} onDone=${saved} onClose=${close} />`;
}

/** Ends an increase before its time. @param {string} id @param {number} position @param {(text?: string) => void} done */
export const takeBack = (id, position, done) => send("DELETE", `${pathOf(id)}/increases/${position}`, undefined, () => done(`${id} is as it was.`));

const FOR = [["86400", "A day"], ["259200", "Three days"], ["604800", "A week"], ["2592000", "30 days"]];

/** @param {{id: string, done: (text?: string) => void, close: () => void}} props */
export function Raise({ id, done, close }) {
  const [amount, setAmount] = useState("");
  const [seconds, setSeconds] = useState("86400");
  const [reason, setReason] = useState("");
  const act = (/** @type {Event} */ event) => {
    event.preventDefault();
    const until = new Date(Date.now() + Number(seconds) * 1000).toISOString();
    return send("POST", `${pathOf(id)}/increases`, { limit_usd: amount.trim(), until, reason }, (made) => {
      done();
      toast(`${id} is raised by $${amount.trim()}.`, { undo: () => takeBack(id, made.increase.length - 1, done) });
    });
  };
  return html`<${Dialog} title=${`Raise ${id} for a while`} onClose=${close}><form class="stack" onSubmit=${act}>
    <${Field} label="By (USD)" value=${amount} onInput=${setAmount} inputMode="decimal" focus required />
    <${Field} label="For" value=${seconds} onInput=${setSeconds} options=${FOR} />
    <${Field} label="Why" value=${reason} onInput=${setReason} hint="For those who look later; it stands in the audit." required />
    <div class="actions"><button type="button" class="button" onClick=${close}>Cancel</button><button class="button first" disabled=${!amount.trim() || !reason.trim()}>Raise it</button></div>
  </form></${Dialog}>`;
}
