// Charts over time, drawn by uPlot, which is fetched when the first one is shown. Colours come from the style; what a pointer or
// the arrow keys stand on is read out in a tip and, for screen readers, the figures stand in a table that is not seen.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { day, when } from "../core/format.js";
import { isDark } from "../core/theme.js";

const DAYS_S = [1, 2, 3, 7, 14, 28, 56, 112, 364].map((days) => days * 86_400); // between two ticks
const FEW = 60; // points of a line that are drawn one by one

/** @typedef {{name: string, values: (number | null)[], color?: number}} Series `color`: 1 to 8; 0 for what is left over */

/** @param {string} name of a property in CSS */
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/** @param {Series} series @param {number} at */
const colorOf = (series, at) => style(series.color === 0 ? "--series-rest" : `--series-${((series.color || at + 1) - 1) % 8 + 1}`);

/** Each series on top of those before it. @param {(number | null)[][]} lists */
function stacked(lists) {
  const sum = new Array(lists[0]?.length || 0).fill(0);
  return lists.map((list) => list.map((value, at) => (sum[at] += value || 0)));
}

/**
 * @param {{times: number[], series: Series[], format: (value: number, step?: number) => string, label: string, kind?: "area" | "line" | "bars",
 *   height?: number, hourly?: boolean, onPick?: (fromS: number, toS: number) => void}} props
 * `times` in seconds, rising. "area" and "bars" are stacked. `onPick`: a range was dragged over.
 */
export function Chart({ times, series, format, label, kind = "area", height = 240, hourly = false, onPick }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [at, setAt] = useState(-1);
  const dark = isDark.value;
  useEffect(() => {
    let live = true;
    /** @type {ResizeObserver | null} */
    let observer = null;
    import("../vendor/uplot.js").then(({ default: Plot }) => {
      if (!live || !box.current) return;
      const made = new Plot(options(Plot, { series, kind, height, hourly, format, width: box.current.clientWidth, setAt, onPick }), data(times, series, kind), box.current);
      plot.current = made;
      observer = new ResizeObserver(() => box.current && made.setSize({ width: box.current.clientWidth, height }));
      observer.observe(box.current);
    });
    return () => {
      live = false;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [dark, kind, height, hourly, series.map((one) => one.name).join("\n"), times.length > 1 ? times[1] - times[0] : 0]);
  useEffect(() => plot.current?.setData(data(times, series, kind)), [times, series]);
  return html`<figure class="chart" style=${{ minHeight: `${height}px` }}>
    <div ref=${box} aria-hidden="true"></div>
    ${at >= 0 && at < times.length && html`<${Tip} at=${at} times=${times} series=${series} format=${format} hourly=${hourly} plot=${plot.current} />`}
    ${series.length > 1 && html`<${Legend} series=${series} />`}
    <${Unseen} times=${times} series=${series} format=${format} label=${label} hourly=${hourly} />
  </figure>`;
}

/** @param {number[]} times @param {Series[]} series @param {string} kind */
function data(times, series, kind) {
  const lists = series.map((one) => one.values);
  // What is stacked is drawn from the top down, so that lower ones cover the feet of higher ones.
  return [times, ...(kind === "line" ? lists : stacked(lists).reverse())];
}

/** @typedef {import("../vendor/uplot.js").Plot} Plot */

/**
 * @param {typeof import("../vendor/uplot.js").default} Plot
 * @param {{series: Series[], kind: string, height: number, hourly: boolean, format: (value: number, step?: number) => string, width: number,
 *   setAt: (at: number) => void, onPick?: (fromS: number, toS: number) => void}} how
 */
function options(Plot, { series, kind, height, hourly, format, width, setAt, onPick }) {
  const line = style("--line");
  const ink = style("--ink-3");
  const font = `12px ${style("--font")}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const drawn = series.map((one, at) => ({ ...one, stroke: colorOf(one, at) }));
  const shown = kind === "line" ? drawn : drawn.reverse();
  return {
    width,
    height,
    legend: { show: false },
    cursor: { y: false, points: { show: kind === "line" }, drag: { x: Boolean(onPick), y: false } },
    scales: { x: { time: true, range: kind === "bars" ? (/** @type {Plot} */ self, /** @type {number} */ low, /** @type {number} */ high) => roomy(self, low, high) : undefined }, y: { range: (/** @type {Plot} */ _, /** @type {number} */ low, /** @type {number} */ high) => [Math.min(0, low || 0), (high || 1) * 1.06] } },
    axes: [
      { ...axis, size: 30, grid: { show: false }, space: 70, incrs: hourly ? undefined : DAYS_S, values: (/** @type {Plot} */ _, /** @type {number[]} */ splits) => splits.map((one) => tick(one, hourly, splits[1] - splits[0] < 60)) },
      { ...axis, size: 62, values: (/** @type {Plot} */ _, /** @type {number[]} */ splits) => splits.map((one) => format(one, splits[1] - splits[0])) },
    ],
    series: [
      {},
      ...shown.map((one) => ({
        label: one.name,
        stroke: one.stroke,
        width: kind === "bars" ? 0 : 1.6,
        fill: kind === "line" ? undefined : one.stroke,
        paths: kind === "bars" ? Plot.paths.bars({ size: [0.74, 64], radius: 0.08 }) : Plot.paths.spline(),
        points: { show: kind === "line" && one.values.length <= FEW, size: 6, fill: one.stroke },
      })),
    ],
    hooks: {
      setCursor: [(/** @type {Plot} */ self) => setAt(self.cursor.idx ?? -1)],
      setSelect: [
        (/** @type {Plot} */ self) => {
          if (onPick && self.select.width > 8) onPick(self.posToVal(self.select.left, "x"), self.posToVal(self.select.left + self.select.width, "x"));
        },
      ],
    },
  };
}

/** With half a bar at either end. @param {Plot} plot @param {number} low @param {number} high @returns {[number, number]} */
function roomy(plot, low, high) {
  const times = plot.data[0];
  const half = times.length > 1 ? (times[1] - times[0]) / 2 : 1800;
  return [low - half, high + half];
}

/** @param {number} seconds @param {boolean} hourly @param {boolean} fine within a minute */
function tick(seconds, hourly, fine) {
  const moment = new Date(seconds * 1000);
  if (!hourly || (moment.getHours() === 0 && moment.getMinutes() === 0)) return day(moment.toISOString());
  const parts = [moment.getHours(), moment.getMinutes(), ...(fine ? [moment.getSeconds()] : [])];
  return parts.map((one) => String(one).padStart(2, "0")).join(":");
}

/** @param {number} seconds @param {boolean} hourly */
const spoken = (seconds, hourly) => (hourly ? when(new Date(seconds * 1000).toISOString()) : day(new Date(seconds * 1000).toISOString()));

/** @param {{at: number, times: number[], series: Series[], format: (value: number) => string, hourly: boolean, plot: Plot | null}} props */
function Tip({ at, times, series, format, hourly, plot }) {
  const left = plot ? plot.valToPos(times[at], "x") + 62 : 0;
  const width = plot ? plot.width : 600;
  const side = left > width / 2 ? { right: `${width - left + 12}px` } : { left: `${left + 12}px` };
  const rows = series.map((one, index) => ({ ...one, index, value: one.values[at] || 0 })).filter((one) => one.value);
  const sum = rows.reduce((total, one) => total + one.value, 0);
  return html`<div class="tip" style=${{ top: "8px", ...side }}>
    <p><strong>${spoken(times[at], hourly)}</strong>${series.length > 1 && html`<strong>${format(sum)}</strong>`}</p>
    ${rows.map((one) => html`<p key=${one.name}><span class="clip"><${Swatch} of=${one} at=${one.index} /> ${one.name}</span><span>${format(one.value)}</span></p>`)}
  </div>`;
}

/** @param {{of: Series, at: number}} props */
const Swatch = ({ of, at }) => html`<i class="dot" style=${{ background: `var(${of.color === 0 ? "--series-rest" : `--series-${((of.color || at + 1) - 1) % 8 + 1}`})` }}></i>`;

/** @param {{series: Series[]}} props */
export function Legend({ series }) {
  return html`<div class="legend">${series.map((one, at) => html`<span key=${one.name}><${Swatch} of=${one} at=${at} />${one.name}</span>`)}</div>`;
}

/** @param {{times: number[], series: Series[], format: (value: number) => string, label: string, hourly: boolean}} props */
function Unseen({ times, series, format, label, hourly }) {
  return html`<div class="unseen"><table><caption>${label}</caption>
    <thead><tr><th scope="col">Time</th>${series.map((one) => html`<th key=${one.name} scope="col">${one.name}</th>`)}</tr></thead>
    <tbody>${times.map((time, at) => html`<tr key=${time}><th scope="row">${spoken(time, hourly)}</th>
      ${series.map((one) => html`<td key=${one.name}>${format(one.values[at] || 0)}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** A small line without axes. @param {{values: number[], label: string, width?: number, height?: number}} props */
export function Spark({ values, label, width = 96, height = 26 }) {
  const top = Math.max(...values, 1e-9);
  const step = values.length > 1 ? width / (values.length - 1) : width;
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`).join(" ");
  return html`<svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${label}>
    <polyline points=${points} fill="none" stroke="var(--accent)" stroke-width="1.5" stroke-linejoin="round" /></svg>`;
}
