// Dialogs and toasts. A dialog is the browser's own: focus stays inside, Escape closes it.
import { html, signal, useEffect, useRef } from "../core/html.js";
import { Icon } from "./icons.js";

/** @param {{title: string, onClose: () => void, children?: any, actions?: any}} props */
export function Dialog({ title, onClose, children, actions }) {
  const ref = useRef(null);
  useEffect(() => {
    const box = ref.current;
    box.showModal();
    return () => box.close();
  }, []);
  return html`<dialog ref=${ref} onCancel=${(/** @type {Event} */ event) => (event.preventDefault(), onClose())} aria-label=${title}>
    <div class="inside">
      <div class="row spread"><h2>${title}</h2><button type="button" class="button bare" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button></div>
      ${children}
      ${actions && html`<div class="actions">${actions}</div>`}
    </div>
  </dialog>`;
}

/** Asks before something that cannot be undone. @param {{title: string, does: string, danger?: boolean, onDo: () => void, onClose: () => void, children?: any}} props */
export function Confirm({ title, does, danger = true, onDo, onClose, children }) {
  const actions = html`<button type="button" class="button" onClick=${onClose}>Cancel</button>
    <button type="button" class=${`button first ${danger ? "danger" : ""}`} onClick=${onDo}>${does}</button>`;
  return html`<${Dialog} title=${title} onClose=${onClose} actions=${actions}>${children}</${Dialog}>`;
}

/** @typedef {{id: number, text: any, kind: string, undo?: () => void}} Toast */
/** @type {import("../vendor/signals.js").Signal<Toast[]>} */
const toasts = signal([]);
let last = 0;

/** @param {any} text @param {{kind?: string, undo?: () => void}} [more] */
export function toast(text, { kind = "", undo } = {}) {
  const id = ++last;
  toasts.value = [...toasts.value, { id, text, kind, undo }];
  setTimeout(() => drop(id), undo ? 10_000 : 5_000);
}

/** @param {number} id */
function drop(id) {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      (one) => html`<div key=${one.id} class="toast"><span class=${one.kind}>${one.text}</span>
        ${one.undo && html`<button type="button" class="button" onClick=${() => (drop(one.id), one.undo?.())}>Undo</button>`}</div>`,
    )}
  </div>`;
}
