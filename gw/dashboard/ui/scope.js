// Whom or what a budget or a limit is about: one kind, and a name or pattern. Names that are there are offered.
import { html, useEffect, useState } from "../core/html.js";
import { get } from "../core/api.js";
import { Field } from "./form.js";

/** @type {[string, string][]} */
const KINDS = [["customer", "A customer"], ["team", "A team"], ["key", "A virtual key"], ["model", "A model"], ["upstream", "An upstream"], ["project", "A project"], ["session", "A session"]];
/** @type {Record<string, string>} */
const HINTS = {
  customer: "A name, or a pattern such as *: with Each, an account for each that matches.",
  team: "A name, or a pattern such as *: with Each, an account for each that matches.",
  key: "A name, a public id, or a pattern such as ci-*.",
  model: "As clients ask for it, such as claude-opus-*.",
  upstream: "As it is called in config.toml.",
  project: "As clients name it, or a pattern.",
  session: "* is each session by itself.",
};

/** @typedef {{kind: string, name: string}} Scope */

/** As fields of the API: one of the kinds is named, and the form asks for none of the others. A key may narrow what another kind
 * says, so the form goes on asking for that. @param {Scope} scope @returns {Record<string, string | undefined>} */
export function scopeOf({ kind, name }) {
  const asked = KINDS.map(([one]) => one).filter((one) => one !== "key" || kind === "key");
  return Object.fromEntries(asked.map((one) => [one, one === kind ? name.trim() : undefined]));
}

/** @param {{of: Scope, set: (scope: Scope) => void, wrong: (field: string) => string}} props */
export function ScopeFields({ of, set, wrong }) {
  const [names, setNames] = useState(/** @type {Record<string, string[]>} */ ({}));
  useEffect(() => {
    get("/api/accounts").then(({ data }) => setNames(byKind(data.accounts)), () => setNames({}));
  }, []);
  return html`<div class="grid stats">
    <${Field} label="For" value=${of.kind} options=${KINDS} onInput=${(/** @type {string} */ kind) => set({ kind, name: kind === "session" ? "*" : "" })} />
    <${Field} label="Which" value=${of.name} list=${names[of.kind]} hint=${HINTS[of.kind]} wrong=${wrong(of.kind)} required onInput=${(/** @type {string} */ name) => set({ ...of, name })} />
  </div>`;
}

/** @param {{kind: string, name: string, active: boolean}[]} accounts */
function byKind(accounts) {
  /** @type {Record<string, string[]>} */
  const found = {};
  for (const one of accounts) if (one.active) (found[one.kind] ||= []).push(one.name);
  return found;
}
