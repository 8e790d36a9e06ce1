// The chooser of the time range.
import { html, useState } from "../core/html.js";
import { ZONE, local, when } from "../core/format.js";
import { PRESETS, choose, chooseBetween, range } from "../core/range.js";
import { Dialog } from "./dialog.js";
import { Field } from "./form.js";

export function RangePicker() {
  const { name, from, to } = range();
  const [open, setOpen] = useState(false);
  const turn = (/** @type {{currentTarget: HTMLSelectElement}} */ event) => (event.currentTarget.value === "other" ? setOpen(true) : choose(event.currentTarget.value));
  return html`<select class="input" style=${{ width: "auto" }} aria-label="Time range" value=${name} onChange=${turn}>
      ${Object.entries(PRESETS).map(([key, title]) => html`<option key=${key} value=${key}>${title}</option>`)}
      ${name === "custom" && html`<option value="custom">${when(from)} – ${to ? when(to) : "now"}</option>`}
      <option value="other">${name === "custom" ? "Another range…" : "Chosen range…"}</option>
    </select>
    ${open && html`<${Between} onClose=${() => setOpen(false)} />`}`;
}

/** @param {{onClose: () => void}} props */
function Between({ onClose }) {
  const now = range();
  const [from, setFrom] = useState(local(now.from));
  const [to, setTo] = useState(local(now.to || new Date().toISOString()));
  const wrong = from && to && from >= to ? "ends before it begins" : "";
  const take = () => {
    if (wrong || !from || !to) return;
    chooseBetween(new Date(from).toISOString(), new Date(to).toISOString());
    onClose();
  };
  const actions = html`<button type="button" class="button" onClick=${onClose}>Cancel</button>
    <button type="button" class="button first" onClick=${take}>Show it</button>`;
  return html`<${Dialog} title="Time range" onClose=${onClose} actions=${actions}>
    <${Field} label="From" type="datetime-local" value=${from} onInput=${setFrom} />
    <${Field} label="To" type="datetime-local" value=${to} onInput=${setTo} wrong=${wrong} hint=${`In your time zone, ${ZONE}.`} />
  </${Dialog}>`;
}
