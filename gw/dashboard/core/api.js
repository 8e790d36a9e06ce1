// Talks to gw's own API. Errors are Problem objects: what happened, and what to do about it, in the API's words.
import { useEffect, useRef, useState } from "./html.js";
import { session, signedOut } from "./session.js";

/** What the API says when it does not do what was asked (RFC 9457), or what stands for it when nobody answered. */
export class Problem extends Error {
  /** @param {{status: number, slug: string, title: string, detail: string, hint: string, errors?: {field: string, message: string}[]}} body */
  constructor(body) {
    super(body.detail || body.title);
    this.status = body.status;
    this.slug = body.slug;
    this.title = body.title;
    this.hint = body.hint;
    /** @type {{field: string, message: string}[]} */
    this.errors = body.errors || [];
  }
}

const UNREACHABLE = {
  status: 0,
  slug: "unreachable",
  title: "The gateway does not answer",
  detail: "The gateway does not answer.",
  hint: "Check that it runs and that you are on its network. This page tries again by itself.",
};

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: unknown, etag?: string, signal?: AbortSignal}} [more]
 * @returns {Promise<{data: any, etag: string}>} raises Problem
 */
export async function ask(method, path, more = {}) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (method !== "GET" && session.value) headers["x-gw-csrf"] = session.value.csrf;
  if (more.body !== undefined) headers["content-type"] = "application/json";
  if (more.etag) headers["if-match"] = more.etag;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      body: more.body === undefined ? undefined : JSON.stringify(more.body),
      signal: more.signal,
    });
  } catch (error) {
    if (more.signal?.aborted) throw error;
    throw new Problem(UNREACHABLE);
  }
  const text = await response.text();
  const json = (response.headers.get("content-type") || "").includes("json");
  const data = json && text ? JSON.parse(text) : text;
  if (response.ok) return { data, etag: response.headers.get("etag") || "" };
  if (response.status === 401 && path !== "/api/session") signedOut();
  const body = json ? data : { title: `The answer was ${response.status}`, detail: "", hint: "Look at the gateway's log." };
  throw new Problem({ ...body, status: response.status });
}

const IN_FORCE_MS = 1500; // what was changed is in force by then, and shows

/** A view's data as it stands. @typedef {{path: string, data: any, problem: Problem | null, loading: boolean}} Asked */

/** @param {string} path @param {Record<string, unknown>} [query] */
export function get(path, query) {
  return ask("GET", path + search(query));
}

/** @param {Record<string, unknown>} [query] empty values are left out; lists are joined by commas */
export function search(query = {}) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length)) continue;
    found.set(name, Array.isArray(value) ? value.join(",") : String(value));
  }
  const text = found.toString();
  return text ? `?${text}` : "";
}

/** A value that a filter takes as it stands: commas and wildcards in it are meant literally. @param {string} text */
export const literal = (text) => text.replace(/[\\,*?]/g, "\\$&");

/** Filters to be added to a path that has a query; an empty value asks for what has none. @param {Record<string, string>} filters */
export const filtered = (filters) => Object.entries(filters).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");

/**
 * One view's data: asked for anew when `path` changes, and every `everyMs` while the page is visible. What was there stays
 * until the new answer is, so that nothing jumps.
 * @param {string} path "" asks nothing
 * @param {number} [everyMs]
 * @returns {{data: any, problem: Problem | null, loading: boolean, reload: () => void}}
 */
export function useData(path, everyMs = 0) {
  const [state, setState] = useState(/** @type {Asked} */ ({ path: "", data: null, problem: null, loading: true }));
  const [turn, setTurn] = useState(0);
  const latest = useRef("");
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    let timer = 0;
    latest.current = path;
    setState((old) => ({ ...old, loading: true }));
    const load = async () => {
      try {
        const { data } = await ask("GET", path, { signal: stop.signal });
        setState({ path, data, problem: null, loading: false });
      } catch (problem) {
        if (stop.signal.aborted) return;
        if (!(problem instanceof Problem)) throw problem;
        setState((old) => ({ path, data: old.path === path ? old.data : null, problem, loading: false }));
      }
      if (everyMs && !stop.signal.aborted) timer = setTimeout(again, everyMs);
    };
    const again = () => (document.hidden ? (timer = setTimeout(again, 1000)) : load());
    load();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [path, turn, everyMs]);
  const again = () => setTurn((old) => old + 1);
  return { ...state, reload: () => (again(), void setTimeout(again, IN_FORCE_MS)) };
}
