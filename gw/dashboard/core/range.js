// The time range that views are asked for: a preset that moves with the clock, or two fixed moments. It stands in the address bar.
import { param, setParams } from "./router.js";

/** Name -> what people read. @type {Record<string, string>} */
export const PRESETS = {
  "1h": "Last hour",
  "24h": "Last 24 hours",
  today: "Today",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  month: "This month",
  "90d": "Last 90 days",
};
export const DEFAULT = "7d";
const HOUR_MS = 3_600_000;
/** Those that go back from now; the others begin with the day or the month. @type {Record<string, number>} */
const BACK_MS = { "1h": HOUR_MS, "24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS, "30d": 720 * HOUR_MS, "90d": 2160 * HOUR_MS };

/** @returns {{name: string, label: string, from: string, to: string, since: string}} moments in ISO, `to` "" for now. `since` is
 * `from` in words that stay the same while the clock goes on ("7d"), for the API: a view asks once, not once a minute. */
export function range() {
  const from = param("from");
  if (is(from)) return { name: "custom", label: "Chosen range", from, since: from, to: is(param("to")) ? param("to") : "" };
  const name = Object.hasOwn(PRESETS, param("range")) ? param("range") : DEFAULT;
  const start = new Date(startOf(name)).toISOString();
  return { name, label: PRESETS[name], from: start, since: name in BACK_MS ? name : start, to: "" };
}

/** Whether it is a moment: the address bar may hold anything. @param {string} text */
const is = (text) => !Number.isNaN(Date.parse(text));

/** @param {string} name */
function startOf(name) {
  const now = new Date();
  if (name === "today") return new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (name === "month") return new Date(now.getFullYear(), now.getMonth(), 1).getTime();
  return Math.floor((now.getTime() - BACK_MS[name]) / 60_000) * 60_000;
}

/** @param {string} name */
export const choose = (name) => setParams({ range: name === DEFAULT ? "" : name, from: "", to: "" });

/** @param {string} from @param {string} to moments in ISO */
export const chooseBetween = (from, to) => setParams({ range: "", from, to });

/** The bucket in which a range of this length is drawn. @param {string} from @param {string} to */
export function bucketOf(from, to) {
  const length = (to ? Date.parse(to) : Date.now()) - Date.parse(from);
  if (length <= 72 * HOUR_MS) return "hour";
  return length <= 100 * 24 * HOUR_MS ? "day" : "week";
}
