// Where the reader is: a path below /ui and a query, both in the address bar, so that every view can be sent to somebody.
import { html, signal } from "./html.js";

export const ROOT = "/ui";
const here = () => ({ path: location.pathname.slice(ROOT.length).replace(/\/+$/, "") || "/", query: new URLSearchParams(location.search) });

export const place = signal(here());
addEventListener("popstate", () => (place.value = here()));

/** @param {string} to path below /ui, with its query @param {{replace?: boolean}} [how] */
export function go(to, { replace = false } = {}) {
  const address = ROOT + to;
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  place.value = here();
  if (!replace) scrollTo(0, 0);
}

/** @param {string} name */
export function param(name) {
  return place.value.query.get(name) || "";
}

/** Changes parts of the query; "" takes one away. @param {Record<string, string>} changes @param {{replace?: boolean}} [how] */
export function setParams(changes, how) {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
  const text = query.toString();
  go(place.value.path + (text ? `?${text}` : ""), how);
}

/** The time range, the zone and the like go along from view to view. */
export const KEPT = ["range", "from", "to"];

/** @param {string} path @param {Record<string, string | undefined>} [query] "" stays: as a filter it asks for what has none */
export function address(path, query = {}) {
  const all = new URLSearchParams();
  for (const name of KEPT) if (param(name)) all.set(name, param(name));
  for (const [name, value] of Object.entries(query)) value === undefined ? all.delete(name) : all.set(name, value);
  const text = all.toString();
  return path + (text ? `?${text}` : "");
}

/** A link within the dashboard. @param {{to: string, query?: Record<string, string>, class?: string, title?: string, current?: boolean, children?: any}} props */
export function Link({ to, query, current, children, ...rest }) {
  const target = address(to, query);
  const click = (/** @type {MouseEvent} */ event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(target);
  };
  return html`<a href=${ROOT + target} onClick=${click} aria-current=${current ? "page" : undefined} ...${rest}>${children}</a>`;
}
