// What is left of a budget, from the beginning of its window to its end: as it went so far, and on at the average pace.
import { html } from "../core/html.js";
import { day, percent, usd, when } from "../core/format.js";

const WIDTH = 190;
const HEIGHT = 44;
const EDGE = 3;
const DAY_MS = 86_400_000;
const SHORT_MS = 7_200_000; // of so short a window there is nothing between its beginning and now

/**
 * @param {{of: any, at: string[], now: string}} props `of`: an account's standing; `at`: when its `history_usd` was reached;
 * `now`: when all of this was so
 */
export function BurnDown({ of, at, now }) {
  const { standing } = of;
  const from = Date.parse(standing.started_at || "");
  const to = Date.parse(standing.resets_at || "");
  const history = of.history_usd || (to - from <= SHORT_MS ? [] : null);
  if (!(to > from) || !history) return html`<span class="quiet" title="It never ends, or nothing is known of it by the hour">–</span>`;
  const limit = Number(standing.limit_usd);
  const spent = Number(standing.spent_usd);
  const known = history.map((/** @type {string} */ usd, /** @type {number} */ index) => ({ x: Date.parse(at[index]), y: Math.min(Number(usd), spent) }));
  const way = [{ x: from, y: 0 }, ...known, { x: Date.parse(now), y: spent }];
  const top = Math.max(limit, spent) || 1;
  const place = (/** @type {{x: number, y: number}} */ { x, y }) => `${(EDGE + ((x - from) / (to - from)) * (WIDTH - 2 * EDGE)).toFixed(1)},${(EDGE + ((top - limit + y) / top) * (HEIGHT - 2 * EDGE)).toFixed(1)}`;
  const ahead = of.projected_usd === null ? null : of.exhausted_at && spent < limit ? { x: Date.parse(of.exhausted_at), y: limit } : { x: to, y: Math.min(Number(of.projected_usd), limit) };
  const kind = of.share >= 1 ? "bad" : of.exhausted_at ? "warn" : "accent";
  const last = place(way[way.length - 1]).split(",");
  return html`<svg class=${`burn ${kind}`} width=${WIDTH} height=${HEIGHT} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${said(of)}>
    <title>${said(of)}</title>
    <polyline class="even" points=${`${place({ x: from, y: 0 })} ${place({ x: to, y: limit })}`} />
    <polygon class="under" points=${`${way.map(place).join(" ")} ${last[0]},${HEIGHT - EDGE} ${EDGE},${HEIGHT - EDGE}`} />
    ${ahead && spent < limit && html`<polyline class="ahead" points=${`${last.join(",")} ${place(ahead)}`} />`}
    <polyline class="way" points=${way.map(place).join(" ")} />
    <circle cx=${last[0]} cy=${last[1]} r="2.6" />
  </svg>`;
}

/** @param {any} of */
function said({ standing, share, exhausted_at: over }) {
  const length = Date.parse(standing.resets_at) - Date.parse(standing.started_at);
  const moment = length > 3 * DAY_MS ? day : when;
  const ends = over && share < 1 ? `; at this pace spent ${moment(over)}` : "";
  return `${standing.account}: ${usd(standing.remaining_usd)} of ${usd(standing.limit_usd)} left, ${percent(share, 0)} used, from ${moment(standing.started_at)} to ${moment(standing.resets_at)}${ends}`;
}
