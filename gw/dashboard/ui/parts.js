// Small parts that many views use.
import { html, useState } from "../core/html.js";
import { ago, usd, usdExact, utc, when } from "../core/format.js";
import { Icon } from "./icons.js";

/** A title row above a card's content. @param {{title: any, flush?: boolean, side?: any, children?: any, label?: string}} props */
export function Card({ title, flush, side, children, label }) {
  return html`<section class=${`card ${flush ? "flush" : ""}`} aria-label=${label || (typeof title === "string" ? title : undefined)}>
    ${(title || side) && html`<div class="top"><h2>${title}</h2>${side}</div>`}${children}
  </section>`;
}

/** @param {{label: any, figure: any, note?: any, title?: string, kind?: string, children?: any}} props */
export function Stat({ label, figure, note, title, kind = "", children }) {
  return html`<dl class="card stat"><dt>${label}</dt><dd class=${`figure ${kind}`} title=${title}>${figure}</dd>
    ${note !== undefined && html`<dd class="note">${note}</dd>`}${children}</dl>`;
}

/** Money, exact on hover. @param {{of: string | null | undefined}} props */
export const Usd = ({ of }) => html`<span class="nowrap" title=${usdExact(of)}>${usd(of)}</span>`;

/** A moment in the reader's zone, UTC on hover. @param {{of: string | null | undefined, relative?: boolean}} props */
export const When = ({ of, relative }) =>
  html`<time class="nowrap" datetime=${of || undefined} title=${utc(of)}>${relative ? ago(of) : when(of)}</time>`;

/** @param {{kind?: string, title?: string, children?: any}} props */
export const Badge = ({ kind = "", title, children }) => html`<span class=${`badge ${kind}`} title=${title}>${children}</span>`;

/** @type {Record<string, string>} */
const KINDS = {
  completed: "good",
  refused: "warn",
  upstream_error: "bad",
  gw_error: "bad",
  timed_out: "bad",
  client_gone: "",
  stopped: "warn",
};
/** @type {Record<string, string>} */
const OUTCOMES = {
  completed: "completed",
  refused: "refused",
  upstream_error: "upstream error",
  gw_error: "gateway error",
  timed_out: "timed out",
  client_gone: "client left",
  stopped: "stopped",
};

/** How a call ended; with its error, by that. @param {{of: string, error?: string}} props */
export const Outcome = ({ of, error }) =>
  html`<${Badge} kind=${KINDS[of] || ""} title=${error ? `${OUTCOMES[of] || of}: ${error}` : undefined}>${error ? error.replace(/^upstream_/, "").replaceAll("_", " ") : OUTCOMES[of] || of}</${Badge}>`;

/** How far something is used up; `held` is set aside beyond it; `part`: it is a part of a whole, and may well be all of it.
 * @param {{share: number, held?: number, label: string, part?: boolean}} props */
export function Meter({ share, held = 0, label, part = false }) {
  const used = Math.min(Math.max(share, 0), 1);
  const kind = part ? "" : share >= 1 ? "bad" : share >= 0.8 ? "warn" : "";
  return html`<div class=${`meter ${kind}`} role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(used * 100)}>
    ${held > 0 && html`<i class="held" style=${{ width: `${Math.min(used + held, 1) * 100}%` }}></i>`}
    <i style=${{ width: `${used * 100}%` }}></i>
  </div>`;
}

/** One of several. @param {{options: [string, any][], value: string, onChoose: (value: string) => void, label: string}} props */
export function Choices({ options, value, onChoose, label }) {
  return html`<div class="choices" role="group" aria-label=${label}>
    ${options.map(
      ([name, title]) =>
        html`<button key=${name} type="button" class="choice" aria-pressed=${name === value ? "true" : "false"} onClick=${() => onChoose(name)}>${title}</button>`,
    )}
  </div>`;
}

/** @param {{text: string, label?: string}} props */
export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class="button" onClick=${copy}><${Icon} name=${done ? "check" : "copy"} />${done ? "Copied" : label}</button>`;
}

/** Who a part of a total is, with its bar. @param {{label: any, figure: any, share: number, name: string}} props */
export function Bar({ label, figure, share, name }) {
  return html`<div class="bar"><span>${label}</span><span>${figure}</span><${Meter} share=${share} part label=${name} /></div>`;
}
