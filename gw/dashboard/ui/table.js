// A table: columns say how a row's cell looks and whether one may sort by it. Rows that lead somewhere are links, by mouse and keys.
import { html } from "../core/html.js";
import { address, go, Link, ROOT } from "../core/router.js";

/**
 * @typedef {{name: string, title: any, number?: boolean, sort?: string, hint?: string, class?: string, cell: (row: any) => any}} Column
 * `sort`: what the API calls the order; without it there is none. `class` roomy: not on a phone, where figures come first.
 * @param {{columns: Column[], rows: any[], label: string, rowKey?: (row: any) => string, to?: (row: any) => string | undefined, onOpen?: (row: any) => void,
 *   sort?: string, onSort?: (sort: string) => void, foot?: any}} props
 */
export function Table({ columns, rows, label, rowKey, to, onOpen, sort = "", onSort, foot }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>
    <table>
      <caption class="unseen">${label}</caption>
      <thead><tr>${columns.map((column) => html`<${Head} key=${column.name} column=${column} sort=${sort} onSort=${onSort} />`)}</tr></thead>
      <tbody>${rows.map((row, at) => html`<${Row} key=${rowKey ? rowKey(row) : at} row=${row} columns=${columns} to=${to} onOpen=${onOpen} />`)}</tbody>
      ${foot && html`<tfoot>${foot}</tfoot>`}
    </table>
  </div>`;
}

/** @param {{column: Column, sort: string, onSort?: (sort: string) => void}} props */
function Head({ column, sort, onSort }) {
  const kind = `${column.number ? "number" : ""} ${/\broomy\b/.test(column.class || "") ? "roomy" : ""}`;
  if (!column.sort || !onSort) return html`<th class=${kind} scope="col" title=${column.hint}>${column.title}</th>`;
  const falling = sort === `-${column.sort}`;
  const rising = sort === column.sort;
  const turn = () => onSort(falling ? `${column.sort}` : `-${column.sort}`);
  return html`<th class=${kind} scope="col" title=${column.hint} aria-sort=${falling ? "descending" : rising ? "ascending" : undefined}>
    <button onClick=${turn}>${column.title}${falling ? " ↓" : rising ? " ↑" : ""}</button>
  </th>`;
}

/** @param {{row: any, columns: Column[], to?: (row: any) => string | undefined, onOpen?: (row: any) => void}} props */
function Row({ row, columns, to, onOpen }) {
  const target = to?.(row);
  const click = (/** @type {MouseEvent & {target: Element}} */ event) => {
    if (!(target || onOpen) || event.target.closest("a, button, input") || getSelection()?.toString()) return;
    if (onOpen || !target) onOpen?.(row);
    else if (event.metaKey || event.ctrlKey) open(ROOT + address(target), "_blank", "noopener");
    else go(address(target));
  };
  return html`<tr class=${target || onOpen ? "leads" : ""} onClick=${click}>
    ${columns.map((column, at) => html`<td key=${column.name} class=${`${column.number ? "number" : ""} ${column.class || ""}`}>${target && at === 0 ? html`<${Link} to=${target} class="lead">${column.cell(row)}</${Link}>` : column.cell(row)}</td>`)}
  </tr>`;
}
