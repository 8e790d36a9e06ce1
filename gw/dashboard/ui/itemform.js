// A form for a customer, team, key, budget or limit: its fields are those of the API's schema, the usual ones first, the others folded.
import { html, useEffect, useState } from "../core/html.js";
import { asJson, asText, schemas } from "../core/schema.js";
import { Problem, ask } from "../core/api.js";
import { Dialog } from "./dialog.js";
import { Field, wrongOf } from "./form.js";
import { Loading } from "./states.js";

/** A field's name as people read it. @param {string} name */
const words = (name) => {
  const text = name.replace(/_usd$/, " (USD)").replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

/**
 * @param {{title: string, does: string, schema: string, first: string[], method: string, path: string, before?: any, etag?: string,
 *   fixed?: Record<string, unknown>, head?: (wrong: (field: string) => string) => any, lists?: Record<string, string[]>, onDone: (made: any) => void, onClose: () => void, children?: any}} props
 * `before`: the thing as it is; only what is changed is sent then. `fixed`: fields that this form does not ask for; what is undefined
 * is not sent. `head`: further inputs of `fixed`, above all others; it is given what the API said of a field.
 */
export function ItemForm({ title, does, schema, first, method, path, before, etag, fixed = {}, head, lists = {}, onDone, onClose, children }) {
  const [shape, setShape] = useState(null);
  const [values, setValues] = useState(/** @type {Record<string, string>} */ ({}));
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    schemas().then((all) => setShape(all[schema]), setProblem);
  }, [schema]);
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { data } = await ask(method, path, { body: { ...fixed, ...changes(shape, values, before) }, etag });
      onDone(data);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setBusy(false);
    }
  };
  const names = shape ? Object.keys(shape.properties).filter((name) => !(name in fixed)) : [];
  const later = names.filter((name) => !first.includes(name) && !readOnly(shape, name));
  const field = (/** @type {string} */ name) => html`<${OneField} key=${name} name=${name} of=${shape.properties[name]} before=${before} values=${values}
    wrong=${wrongOf(problem, name)} list=${lists[name]} required=${(shape.required || []).includes(name)} focus=${name === first[0]}
    set=${(/** @type {string} */ value) => setValues((old) => ({ ...old, [name]: value }))} />`;
  const shown = head ? [...names, ...Object.keys(fixed)] : names;
  const elsewhere = problem && !problem.errors.some((/** @type {{field: string}} */ one) => shown.includes(one.field.split(".")[0]));
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${!shape && !problem && html`<${Loading} />`}
    <form class="stack" onSubmit=${send} noValidate>
      ${shape && names.includes(first[0]) && field(first[0])}
      ${shape && head?.((/** @type {string} */ name) => wrongOf(problem, name))}
      ${shape && first.slice(1).filter((name) => names.includes(name)).map(field)}
      ${shape && later.length > 0 && html`<details class="stack"><summary class="small">More</summary><div class="stack" style=${{ marginTop: "12px" }}>${later.map(field)}</div></details>`}
      ${children}
      ${elsewhere && html`<div class="notice bad" role="alert"><div><strong>${problem.message}</strong><br />${problem.hint}</div></div>`}
      <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button class="button first" disabled=${busy || !shape}>${busy ? "Saving…" : does}</button></div>
    </form>
  </${Dialog}>`;
}

/** Lists of objects have actions of their own. @param {any} shape @param {string} name */
const readOnly = (shape, name) => shape.properties[name].items?.type === "object" || shape.properties[name].type === "object";

/** What is to be sent. @param {any} shape @param {Record<string, string>} values @param {any} before */
function changes(shape, values, before) {
  /** @type {Record<string, unknown>} */
  const found = {};
  for (const [name, value] of Object.entries(values)) {
    const schema = shape.properties[name];
    if (before && asText(schema, before[name]) === String(value)) continue;
    const json = asJson(schema, value);
    if (json !== undefined) found[name] = json;
    else if (before) found[name] = null;
  }
  return found;
}

const OWN = ["name", "source", "version", "problem", "created_at", "updated_at", "public_id", "revoked_at", "overlap_until"]; // the API's to say

/** The body of a PATCH that puts back what was changed. @param {any} before @param {any} made */
export function backTo(before, made) {
  const other = Object.keys(made).filter((name) => !OWN.includes(name) && JSON.stringify(made[name]) !== JSON.stringify(before[name]));
  return Object.fromEntries(other.map((name) => [name, before[name]]));
}

/** @param {{name: string, of: any, before: any, values: Record<string, string>, wrong: string, list?: string[], required: boolean,
 *   focus: boolean, set: (value: string) => void}} props */
function OneField({ name, of, before, values, wrong, list, required, focus, set }) {
  const start = asText(of, before ? before[name] : of.default);
  const value = name in values ? String(values[name]) : start;
  const boolean = of.type === "boolean";
  const options = boolean ? [["true", "Yes"], ["false", "No"]] : of.enum ? of.enum.map((/** @type {unknown} */ one) => [String(one), String(one) || "–"]) : undefined;
  const kind = of.format === "date-time" ? "datetime-local" : of.type === "integer" ? "number" : "text";
  const example = of.examples?.[0];
  return html`<${Field} label=${words(name)} value=${boolean && value === "" ? "false" : value} onInput=${set} type=${kind} options=${options} hint=${of.description}
    wrong=${wrong} list=${list} required=${required} focus=${focus} placeholder=${example === undefined ? "" : `such as ${example}`} />`;
}
