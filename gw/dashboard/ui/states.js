// What a view shows when it has nothing to show: it loads, there is nothing, it failed. Each says what to do.
import { html } from "../core/html.js";

/** @param {{lines?: number}} props */
export function Loading({ lines = 5 }) {
  return html`<div class="bones" role="status" aria-label="Loading">
    ${Array.from({ length: lines }, (_, at) => html`<i key=${at} style=${{ width: `${92 - ((at * 17) % 40)}%` }}></i>`)}
  </div>`;
}

/** @param {{title: string, children?: any}} props */
export function Empty({ title, children }) {
  return html`<div class="state"><h2>${title}</h2><p class="small quiet">${children}</p></div>`;
}

/** @param {{problem: import("../core/api.js").Problem, retry?: () => void}} props */
export function Failure({ problem, retry }) {
  return html`<div class="state" role="alert">
    <h2 class="bad">${problem.title || "Something went wrong"}</h2>
    <p class="small">${problem.message}</p>
    <p class="small quiet">${problem.hint}</p>
    ${retry && html`<button class="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

/**
 * The frame of a view's data: bones while it loads for the first time, the problem if there is nothing else, else the children,
 * with a word above them while they are stale.
 * @param {{of: {data: any, problem: any, loading: boolean, reload: () => void}, lines?: number, children: (data: any) => any}} props
 */
export function Await({ of, lines, children }) {
  if (of.data === null && of.problem) return html`<${Failure} problem=${of.problem} retry=${of.reload} />`;
  if (of.data === null) return html`<${Loading} lines=${lines} />`;
  const stale = of.problem && html`<div class="notice warn" role="status">Not up to date: ${of.problem.message}</div>`;
  return html`${stale}${children(of.data)}`;
}
