// A virtual key that was just made: shown once, with the lines that set Claude Code up.
import { html } from "../core/html.js";
import { Dialog } from "./dialog.js";
import { Copy } from "./parts.js";

/** @param {string} secret @param {string} [base] below the gateway's address */
export function setUp(secret, base = "/anthropic") {
  return `export ANTHROPIC_BASE_URL=${location.origin}${base}\nexport ANTHROPIC_AUTH_TOKEN=${secret}\nclaude`;
}

/** @param {{name: string, secret: string, onClose: () => void}} props */
export function NewSecret({ name, secret, onClose }) {
  const actions = html`<button class="button first" onClick=${onClose}>I have it</button>`;
  return html`<${Dialog} title=${`The secret of ${name}`} onClose=${onClose} actions=${actions}>
    <p class="small">It is shown this once: the gateway keeps only its digest.</p>
    <div class="stack"><pre class="code" data-secret>${secret}</pre><div><${Copy} text=${secret} label="Copy the key" /></div></div>
    <p class="small">For Claude Code:</p>
    <div class="stack"><pre class="code">${setUp(secret)}</pre><div><${Copy} text=${setUp(secret)} label="Copy the lines" /></div></div>
  </${Dialog}>`;
}
