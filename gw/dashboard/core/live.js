// What happens now, by Server-Sent Events: the newest calls, and how many were passed over because this page was too slow.
import { filtered } from "./api.js";

/**
 * @param {Record<string, string>} filters as of /api/logs
 * @param {{call: (call: any) => void, lost: (count: number) => void, open: (is: boolean) => void}} on
 * @returns {() => void} ends it
 */
export function follow(filters, on) {
  const source = new EventSource(`/api/live?${filtered(filters).slice(1)}`, { withCredentials: true });
  source.addEventListener("call", (event) => on.call(JSON.parse(event.data)));
  source.addEventListener("lost", (event) => on.lost(JSON.parse(event.data).count || 0));
  source.addEventListener("open", () => on.open(true));
  source.addEventListener("error", () => on.open(false));
  return () => source.close();
}
