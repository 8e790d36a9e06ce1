// A form for a customer, team, key, budget or limit: its fields are those of the API's schema, the usual ones first, the others folded.
import { html, useEffect, useState } from "../core/html.js";
import { asJson, asText, schemas } from "../core/schema.js";
import { Problem, ask } from "../core/api.js";
import { Dialog } from "./dialog.js";
import { Field, wrongOf } from "./form.js";
import { Loading } from "./states.js";

const words = (name) => {
  const text = name.replace(/_usd$/, " (USD)").replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

/**
 * @param {{title: string, does: string, schema: string, first: string[], method: string, path: string, before?: any, etag?: string,
 *   fixed?: Record<string, unknown>, lists?: Record<string, string[]>, onDone: (made: any) => void, onClose: () => void, children?: any}} props
 * `before`: the thing as it is; only what is changed is sent then. `fixed`: fields that this form does not ask for.
 */
export function ItemForm({ title, does, schema, first, method, path, before, etag, fixed = {}, lists = {}, onDone, onClose, children }) {
  const [shape, setShape] = useState(null);
  const [values, setValues] = useState({});
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    schemas().then((all) => setShape(all[schema]), setProblem);
  }, [schema]);
  const send = async (event) => {
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
  const field = (name) => html`<${OneField} key=${name} name=${name} of=${shape.properties[name]} before=${before} values=${values}
    wrong=${wrongOf(problem, name)} list=${lists[name]} required=${(shape.required || []).includes(name)} focus=${name === first[0]}
    set=${(value) => setValues((old) => ({ ...old, [name]: value }))} />`;
  const elsewhere = problem && !problem.errors.some((one) => names.includes(one.field.split(".")[0]));
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${!shape && !problem && html`<${Loading} />`}
    <form class="stack" onSubmit=${send} noValidate>
      ${shape && first.filter((name) => names.includes(name)).map(field)}
      ${shape && later.length > 0 && html`<details class="stack"><summary class="small">More</summary><div class="stack" style=${{ marginTop: "12px" }}>${later.map(field)}</div></details>`}
      ${children}
      ${elsewhere && html`<div class="notice bad" role="alert"><div><strong>${problem.message}</strong><br />${problem.hint}</div></div>`}
      <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button class="button first" disabled=${busy || !shape}>${busy ? "Saving…" : does}</button></div>
    </form>
  </${Dialog}>`;
}

/** Lists of objects have actions of their own. */
const readOnly = (shape, name) => shape.properties[name].items?.type === "object" || shape.properties[name].type === "object";

function changes(shape, values, before) {
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

function OneField({ name, of, before, values, wrong, list, required, focus, set }) {
  const start = asText(of, before ? before[name] : of.default);
  const value = name in values ? String(values[name]) : start;
  const boolean = of.type === "boolean";
  const options = boolean ? [["true", "Yes"], ["false", "No"]] : of.enum ? of.enum.map((one) => [String(one), String(one) || "–"]) : undefined;
  const kind = of.format === "date-time" ? "datetime-local" : of.type === "integer" ? "number" : "text";
  const example = of.examples?.[0];
  return html`<${Field} label=${words(name)} value=${boolean && value === "" ? "false" : value} onInput=${set} type=${kind} options=${options} hint=${of.description}
    wrong=${wrong} list=${list} required=${required} focus=${focus} placeholder=${example === undefined ? "" : `such as ${example}`} />`;
}
