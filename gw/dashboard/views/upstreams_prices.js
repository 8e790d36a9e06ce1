// Prices of one model: what its card says, and the lines of config.toml that give a price to one without.
import { html, useState } from "../core/html.js";
import { plural } from "../core/format.js";
import { Dialog } from "../ui/dialog.js";
import { Field } from "../ui/form.js";
import { Badge, Copy, When } from "../ui/parts.js";

const CLASSES = [["input", "Input"], ["output", "Output"], ["cache_read", "Cache read"], ["cache_write_5m", "Cache write, 5 min"], ["cache_write_1h", "Cache write, 1 h"]];

/** "genai-prices-2026-11-21+overlay-2026-11-20" as people read it. @param {string} source */
export function dated(source) {
  const found = /^(.+?)-(\d{4}-\d{2}-\d{2})\+overlay-(.+)$/.exec(source);
  return found ? { text: `${found[1]} of ${found[2]}`, overlay: found[3] } : { text: source || "config.toml", overlay: "" };
}

/** To the last digit, in cents at least: "0.125" stays, "4" is "4.00". @param {string} rate */
export function exact(rate) {
  const [whole, fraction = ""] = rate.split(".");
  return `$${whole}.${fraction.padEnd(2, "0")}`;
}

/** A rate, and what it would be by the list. @param {{card: any, name: string}} props */
export function Rate({ card, name }) {
  if (!card?.rates) return html`<span class="quiet">–</span>`;
  const listed = card.listed && card.listed[name] !== card.rates[name] ? card.listed[name] : "";
  return html`<span class="nowrap" title=${listed ? `${exact(listed)} by the list` : "By the list"}>${exact(card.rates[name])}${listed && html`<span class="quiet"> of ${exact(listed)}</span>`}</span>`;
}

/** @param {{of: any, overrides: any[], onClose: () => void}} props */
export function PriceOf({ of, overrides, onClose }) {
  const others = overrides.filter((one) => of.overrides.includes(one.name) && !of.cards.some((card) => card.override === one.name));
  return html`<${Dialog} title=${of.name} onClose=${onClose}>
    ${of.served.length > 0 && html`<p class="small quiet">Answers name it ${of.served.join(", ")}.</p>`}
    ${!of.cards.length && html`<p class="small">No upstream of config.toml serves it: calls that name it are refused.</p>`}
    ${of.cards.map((card) => html`<${OneCard} key=${card.upstream} of=${card} />`)}
    ${others.length > 0 && html`<p class="small">For some accounts alone: ${others.map((one) => html`<${Badge} key=${one.name}>${one.name}</${Badge}> `)}</p>`}
  </${Dialog}>`;
}

function OneCard({ of }) {
  if (!of.known) return html`<section class="stack" aria-label=${of.upstream}><h3>${of.upstream}</h3><p class="small warn">No price is known.</p></section>`;
  const { text, overlay } = dated(of.source);
  const columns = [["Standard", of.rates], ...of.long.map((one) => [`Prompts over ${one.above.toLocaleString("en-US")} tokens`, one.rates]), ...(of.fast ? [["Fast mode", of.fast]] : []), ...(of.listed ? [["By the list", of.listed]] : [])];
  return html`<section class="stack" aria-label=${of.upstream}>
    <h3>${of.upstream}</h3>
    <div class="scroll" tabindex="0" role="region" aria-label=${`Rates at ${of.upstream}`}><table>
      <caption class="unseen">USD per million tokens</caption>
      <thead><tr><th scope="col">USD per million</th>${columns.map(([title]) => html`<th key=${title} class="number" scope="col">${title}</th>`)}</tr></thead>
      <tbody>${CLASSES.map(([name, title]) => html`<tr key=${name}><th scope="row">${title}</th>${columns.map(([at, rates]) => html`<td key=${at} class="number">${exact(rates[name])}</td>`)}</tr>`)}</tbody>
    </table></div>
    <dl class="pairs">
      <dt>Card</dt><dd>${of.card}</dd>
      <dt>Source</dt><dd title=${of.source}>${text}${overlay && `, with the overlay of ${overlay}`}</dd>
      ${of.override && html`<dt>Override</dt><dd>${of.override}</dd>`}
      ${of.since && html`<dt>Since</dt><dd><${When} of=${of.since} /></dd>`}
      ${of.until && html`<dt>Until</dt><dd><${When} of=${of.until} /></dd>`}
      ${of.web_search_usd && html`<dt>A web search</dt><dd>${exact(of.web_search_usd)}</dd>`}
    </dl>
  </section>`;
}

/** Name, title, times the rate of the input (0: none follows). @type {[string, string, number][]} */
const RATES = [["input", "Input", 1], ["output", "Output", 0], ["cache_read", "Cache read", 0.1], ["cache_write_5m", "Cache write, 5 min", 1.25], ["cache_write_1h", "Cache write, 1 h", 2]];
const NAME_CHARS_MAX = 64; // so that any name passes
const DECIMAL = /^\d+(\.\d+)?$/;

/** What follows from the rate of the input as Anthropic's own prices do. @param {string} input @param {number} times */
const follows = (input, times) => (DECIMAL.test(input) ? String(Number((Number(input) * times).toFixed(6))) : "");

/** A TOML string. @param {string} text */
const quoted = (text) => `"${text.replace(/[\\"]/g, "\\$&").replace(/[\u0000-\u001f\u007f]/g, "")}"`;

/** @param {string} model @param {Record<string, string>} rates */
export function override(model, rates) {
  const id = model.toLowerCase().replace(/\[\d+[km]\]$/, "");
  const lines = Object.entries(rates).filter(([, value]) => value).map(([name, value]) => `${name} = ${quoted(value)}`);
  const name = `price of ${id.replace(/[^a-z0-9.@+:/_-]/g, "-")}`.slice(0, NAME_CHARS_MAX);
  return ["[[pricing.override]]", `name = ${quoted(name)}`, `model = ${quoted(id)}`, "# USD per million tokens", ...lines].join("\n");
}

/** @param {{model: string, onClose: () => void}} props */
export function Fix({ model, onClose }) {
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const rates = Object.fromEntries(RATES.map(([name, , times]) => [name, (typed[name] ?? (times && name !== "input" ? follows(typed.input || "", times) : "")).trim()]));
  const wrong = (name) => (rates[name] && !DECIMAL.test(rates[name]) ? "a decimal, such as 3 or 0.30" : "");
  const missing = RATES.filter(([name]) => !DECIMAL.test(rates[name]));
  const text = override(model, rates);
  return html`<${Dialog} title=${`A price for ${model}`} onClose=${onClose}>
    <p class="small">Say what the provider charges, in USD per million tokens. Rates of the cache follow the input's as Anthropic's do, until you type others.</p>
    <div class="grid stats">${RATES.map(([name, title]) => html`<${Field} key=${name} label=${title} value=${rates[name]} inputMode="decimal" focus=${name === "input"} wrong=${wrong(name)} onInput=${(value) => setTyped((old) => ({ ...old, [name]: value }))} />`)}</div>
    ${missing.length
      ? html`<p class="small quiet" role="status">${plural(missing.length, "rate")} to go.</p>`
      : html`<div class="stack"><p class="small">Add this to <code>config.toml</code>. It is in force within a second; <code>gw check</code> says if something is wrong. Calls that were made keep their cost: <code>gw reprice</code> gives them the new one.</p>
        <pre class="code" tabindex="0" data-toml>${text}</pre><div><${Copy} text=${text} label="Copy the lines" /></div></div>`}
  </${Dialog}>`;
}
