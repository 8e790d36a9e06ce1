// Fields of forms. What the API finds wrong with one stands beneath it, and is read out with it.
import { html, useId } from "../core/html.js";

/**
 * @param {{label: any, value: string, onInput: (value: string) => void, type?: string, hint?: any, wrong?: string, required?: boolean,
 *   placeholder?: string, options?: [string, string][], list?: string[], focus?: boolean, inputMode?: string, autoComplete?: string}} props
 */
export function Field({ label, value, onInput, type = "text", hint, wrong = "", options, list, focus, ...rest }) {
  const id = useId();
  const shared = {
    id,
    class: "input",
    value,
    onInput: (/** @type {{currentTarget: HTMLInputElement}} */ event) => onInput(event.currentTarget.value),
    "aria-describedby": hint || wrong ? `${id}-hint` : undefined,
    "aria-invalid": wrong ? "true" : undefined,
    autofocus: focus,
    ...rest,
  };
  return html`<div class="field">
    <label class="label" for=${id}>${label}</label>
    ${options
      ? html`<select ...${shared}>${options.map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</select>`
      : html`<input type=${type} list=${list ? `${id}-list` : undefined} ...${shared} />`}
    ${list && html`<datalist id=${`${id}-list`}>${list.map((one) => html`<option key=${one} value=${one} />`)}</datalist>`}
    ${(hint || wrong) && html`<span id=${`${id}-hint`} class=${wrong ? "wrong" : "quiet"}>${wrong || hint}</span>`}
  </div>`;
}

/** What the API said of one field. @param {import("../core/api.js").Problem | null} problem @param {string} field */
export function wrongOf(problem, field) {
  return problem?.errors.find((one) => one.field === field || one.field.startsWith(`${field}.`))?.message || "";
}
