// Who is signed in. The cookie itself is out of reach of scripts; what is here is what the API says of it.
import { signal } from "./html.js";

/** @typedef {{role: "admin" | "key", key: string, key_id: string, team: string, customer: string, csrf: string, expires_at: string | null, version: string, searches: boolean}} Session */

/** @type {import("../vendor/signals.js").Signal<Session | null>} null: nobody is */
export const session = signal(null);
/** Whether it has been asked yet. */
export const known = signal(false);

export async function recall() {
  const response = await fetch("/api/session", { credentials: "same-origin" });
  session.value = response.ok ? await response.json() : null;
  known.value = true;
}

/** @param {string} token @returns {Promise<string>} what is wrong; "" if nothing is */
export async function signIn(token) {
  const response = await fetch("/api/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify({ token }),
  });
  const body = await response.json();
  if (!response.ok) return `${body.detail} ${body.hint}`;
  session.value = body;
  return "";
}

export async function signOut() {
  await fetch("/api/session", { method: "DELETE", credentials: "same-origin" });
  session.value = null;
}

export function signedOut() {
  session.value = null;
}
