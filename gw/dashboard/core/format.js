// Figures for people. Money comes as exact decimal text and stays text as far as it can; a float is only ever drawn, never shown.

const COUNT = new Intl.NumberFormat("en-US");
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** "1234.5678" -> "$1,234.57"; what is below a cent keeps two digits that say something. @param {string | null | undefined} text */
export function usd(text) {
  if (text === null || text === undefined || text === "") return "–";
  const negative = text.startsWith("-");
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const sign = negative ? "−$" : "$";
  const zeros = fraction.length - fraction.replace(/^0+/, "").length;
  if (/[1-9]/.test(whole) || !/[1-9]/.test(fraction) || zeros < 2) return sign + grouped(...rounded(whole, fraction, 2));
  return sign + grouped(...rounded(whole, fraction, Math.min(zeros + 2, 12)));
}

/** An amount that was drawn, so a float: in whole cents, or as many digits as tell it from zero; beside an axis, from the next by
 * `step`. @param {number} value @param {number} [step] */
export function drawnUsd(value, step = 0) {
  if (!step) return usd(value.toFixed(value < 1 ? 9 : 2));
  const needed = placesOf(step);
  const places = needed && Math.max(2, needed); // $2.50, not $2.5
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places })}`;
}

/** How many decimals tell 0, `step`, 2 × `step` ... apart. @param {number} step */
export function placesOf(step) {
  let places = 0;
  while (places < 12 && Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6) places += 1;
  return places;
}

/** Rounded half up, on digits. @param {string} whole @param {string} fraction @param {number} places @returns {[string, string]} */
function rounded(whole, fraction, places) {
  const digits = BigInt(whole + fraction.slice(0, places).padEnd(places, "0")) + (fraction.charCodeAt(places) >= 53 ? 1n : 0n);
  const text = digits.toString().padStart(places + 1, "0");
  return [text.slice(0, -places), text.slice(-places)];
}

/** @param {string} whole @param {string} fraction */
function grouped(whole, fraction) {
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction}`;
}

/** To the last digit, for hovering. @param {string | null | undefined} text */
export const usdExact = (text) => (text ? `$${text} exactly` : "");

/** @param {number | null | undefined} value */
export const count = (value) => (value === null || value === undefined ? "–" : COUNT.format(value));

/** 1234567 -> "1.2M". @param {number | null | undefined} value */
export const short = (value) => (value === null || value === undefined ? "–" : SHORT.format(value));

/** 0.1234 -> "12.3 %"; in whole ones, what is not nothing is not called so. @param {number | null | undefined} share */
export function percent(share, places = 1) {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  return places === 0 && share > 0 && share < 0.005 ? "< 1 %" : `${(share * 100).toFixed(places)} %`;
}

/** Against before: "+12.3 %", "new" where there was nothing. @param {number} now @param {number} before */
export function change(now, before) {
  if (!before) return now ? "new" : "±0 %";
  const share = now / before - 1;
  return `${share >= 0 ? "+" : "−"}${Math.abs(share * 100).toFixed(Math.abs(share) < 10 ? 1 : 0)} %`;
}

/** @param {number | null | undefined} us */
export function duration(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
  if (us < 60_000_000) return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 2 : 1)} s`;
  const seconds = Math.round(us / 1_000_000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.round(minutes / 1440)} days`;
}

/** Of the API's milliseconds, which are whole ones. @param {number | null | undefined} value */
export const ms = (value) => (value === 0 ? "< 1 ms" : duration(value === null || value === undefined ? value : value * 1000));

/** @param {number | null | undefined} bytes */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const LATELY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** In the reader's time zone; today without its date, this year without the year. @param {string | null | undefined} iso */
export function when(iso) {
  if (!iso) return "–";
  const moment = new Date(iso);
  const now = new Date();
  if (now.toDateString() === moment.toDateString()) return TIME.format(moment);
  return (now.getFullYear() === moment.getFullYear() ? LATELY : FULL).format(moment);
}

/** @param {string} iso */
export const day = (iso) => DAY.format(new Date(iso));

/** For hovering: the moment in UTC. @param {string | null | undefined} iso */
export const utc = (iso) => (iso ? `${new Date(iso).toISOString().replace("T", " ").replace("Z", "")} UTC` : "");

/** As <input type="datetime-local"> wants it, in the reader's zone. @param {string | number} at a moment in ISO, or milliseconds */
export function local(at) {
  const moment = new Date(at);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** "3 min ago", "in 2 h". @param {string | null | undefined} iso */
export function ago(iso) {
  if (!iso) return "never";
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  const [amount, unit] = steps(Math.abs(seconds));
  if (!amount) return "now";
  return seconds > 0 ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}

/** @param {number} seconds @returns {[number, string]} */
function steps(seconds) {
  if (seconds < 5) return [0, ""];
  if (seconds < 90) return [Math.round(seconds), "s"];
  if (seconds < 5400) return [Math.round(seconds / 60), "min"];
  if (seconds < 129_600) return [Math.round(seconds / 3600), "h"];
  return [Math.round(seconds / 86_400), "days"];
}

/** A model's name without the day of its making. @param {string} model */
export const undated = (model) => model.replace(/-20\d{6}$/, "");

/** "1 call", "2 calls". @param {number} amount @param {string} one @param {string} [many] */
export const plural = (amount, one, many = `${one}s`) => `${count(amount)} ${amount === 1 ? one : many}`;
