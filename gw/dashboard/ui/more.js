// Pages of a list behind its first one, each asked for when somebody wants it.
import { html, useEffect, useState } from "../core/html.js";
import { ask, Problem } from "../core/api.js";

/** @typedef {{items: any[], cursor: string, problem: string, next: () => Promise<void>}} Further */

/**
 * @param {any} first the first page, with its `next_cursor`; another one begins anew
 * @param {string} path of the list with its query, to which the cursor is added
 * @param {unknown} [same] as long as this stays, the first page is the same one; without it, as long as it is the same object
 * @returns {Further}
 */
export function useMore(first, path, same = first) {
  const begin = { items: /** @type {any[]} */ ([]), cursor: first?.next_cursor || "", problem: "" };
  const [more, setMore] = useState(begin);
  useEffect(() => setMore(begin), [same]);
  const next = async () => {
    try {
      const { data } = await ask("GET", `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(more.cursor)}`);
      setMore((old) => ({ items: [...old.items, ...data.items], cursor: data.next_cursor || "", problem: "" }));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const { message } = problem;
      setMore((old) => ({ ...old, problem: message }));
    }
  };
  return { ...more, next };
}

/** The button below a list. @param {{of: Further, title?: string, end?: string}} props `end`: what stands there when that is all */
export function More({ of, title = "More", end = "" }) {
  if (!of.cursor && !end) return null;
  return html`<div class="row more">${of.problem && html`<span class="bad small">${of.problem}</span>`}
    ${of.cursor ? html`<button type="button" class="button" onClick=${of.next}>${title}</button>` : html`<span class="small quiet">${end}</span>`}</div>`;
}
