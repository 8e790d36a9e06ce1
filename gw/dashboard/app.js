// The dashboard's beginning: who is signed in, which view stands at this address. Views are fetched when they are first shown.
import { html, render, useEffect, useState } from "./core/html.js";
import { place } from "./core/router.js";
import { known, recall, session } from "./core/session.js";
import "./core/theme.js";
import { Head, Shell } from "./ui/shell.js";
import { Empty, Loading } from "./ui/states.js";
import { SignIn } from "./views/signin.js";

/** For the admin: path, title, icon, module. A path with a colon takes what stands there as a property. */
const ADMIN = [
  { path: "/", title: "Overview", icon: "overview", load: () => import("./views/overview.js") },
  { path: "/explore", title: "Explore", icon: "explore", load: () => import("./views/explore.js") },
  { path: "/logs", title: "Logs", icon: "logs", part: "Look", load: () => import("./views/logs.js") },
  { path: "/logs/:id", title: "Call", load: () => import("./views/call.js") },
  { path: "/sessions", title: "Sessions", icon: "sessions", load: () => import("./views/sessions.js") },
  { path: "/sessions/:id", title: "Session", load: () => import("./views/session.js") },
  { path: "/accounts", title: "Accounts", icon: "accounts", part: "Govern", load: () => import("./views/accounts.js") },
  { path: "/budgets", title: "Budgets", icon: "budgets", load: () => import("./views/budgets.js") },
  { path: "/upstreams", title: "Upstreams", icon: "upstreams", part: "Run", load: () => import("./views/upstreams.js") },
  { path: "/alerts", title: "Alerts", icon: "alerts", load: () => import("./views/alerts.js") },
  { path: "/settings", title: "Settings", icon: "settings", load: () => import("./views/settings.js") },
];
/** For whoever signed in with a virtual key. */
const KEY = [
  ...ADMIN.filter((view) => /^\/(explore|logs|sessions|$)/.test(view.path)),
  { path: "/me", title: "My limits", icon: "budgets", part: "Mine", load: () => import("./views/me.js") },
];

/** @param {string} pattern @param {string} path @returns {Record<string, string> | null} */
function matched(pattern, path) {
  const wanted = pattern.split("/");
  const found = path.split("/");
  if (wanted.length !== found.length) return null;
  /** @type {Record<string, string>} */
  const values = {};
  for (let at = 0; at < wanted.length; at += 1) {
    if (wanted[at].startsWith(":")) values[wanted[at].slice(1)] = decoded(found[at]);
    else if (wanted[at] !== found[at]) return null;
  }
  return values;
}

/** What cannot be decoded was typed by hand. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function App() {
  useEffect(() => void recall(), []);
  if (!known.value) return null;
  if (!session.value) return html`<${SignIn} />`;
  const views = session.value.role === "admin" ? ADMIN : KEY;
  for (const view of views) {
    const values = matched(view.path, place.value.path);
    if (values) return html`<${Shell} entries=${views.filter((one) => one.icon)} title=${view.title}><${Late} key=${view.path} view=${view} values=${values} /></${Shell}>`;
  }
  return html`<${Shell} entries=${views.filter((one) => one.icon)} title="Nothing here"><${Head} title="Nothing here" /><${Empty} title="There is no such page">Choose one on the left.</${Empty}></${Shell}>`;
}

/** A view whose module may still have to come. */
function Late({ view, values }) {
  const [View, setView] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let live = true;
    view.load().then(
      (module) => live && setView(() => module.default),
      () => live && setFailed(true),
    );
    return () => (live = false);
  }, [view]);
  if (failed) return html`<${Empty} title="This page could not be loaded">The gateway may have been updated: reload the page.</${Empty}>`;
  return View ? html`<${View} ...${values} />` : html`<${Loading} lines=${8} />`;
}

render(html`<${App} />`, document.getElementById("app"));
