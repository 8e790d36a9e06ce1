// What stands around every view: navigation, who is signed in, light or dark.
import { html, signal, useEffect } from "../core/html.js";
import { Link, place } from "../core/router.js";
import { session, signOut } from "../core/session.js";
import { isDark, turnTheme } from "../core/theme.js";
import { Toasts } from "./dialog.js";
import { Icon } from "./icons.js";

const open = signal(false);

/** @param {{entries: {path: string, title: string, icon: string, part?: string}[], title: string, children?: any}} props */
export function Shell({ entries, title, children }) {
  const path = place.value.path;
  useEffect(() => {
    document.title = `${title} · gw`;
    open.value = false;
  }, [title, path]);
  return html`<a class="skip" href="#main">To the content</a>
    <div class="shell">
      ${open.value && html`<button class="veil" aria-label="Close the navigation" onClick=${() => (open.value = false)}></button>`}
      <aside class=${`side ${open.value ? "open" : ""}`} aria-label="Navigation">
        <${Link} to="/" class="brand"><${Mark} />gw</${Link}>
        <nav aria-label="Views">${entries.map((one) => html`<${Entry} key=${one.path} of=${one} path=${path} />`)}</nav>
        <${Foot} />
      </aside>
      <main class="main" id="main" tabindex="-1"><div class="page">${children}</div></main>
    </div>
    <${Toasts} />`;
}

/** @param {{of: {path: string, title: string, icon: string, part?: string}, path: string}} props */
function Entry({ of, path }) {
  const current = of.path === "/" ? path === "/" : path === of.path || path.startsWith(`${of.path}/`);
  return html`${of.part && html`<span class="part">${of.part}</span>`}
    <${Link} to=${of.path} current=${current}><${Icon} name=${of.icon} />${of.title}</${Link}>`;
}

function Foot() {
  const who = session.value;
  return html`<div class="foot">
    <button type="button" onClick=${turnTheme}><${Icon} name="theme" />${isDark.value ? "Light" : "Dark"}</button>
    <a href="/api/docs"><${Icon} name="help" />API</a>
    <button type="button" onClick=${signOut} title=${who?.role === "key" ? `Signed in with the key ${who.key}` : "Signed in as admin"}>
      <${Icon} name="out" /><span class="clip">Sign out${who?.role === "key" ? ` ${who.key}` : ""}</span></button>
    <p class="small quiet" style=${{ padding: "6px 8px 0" }}>gw ${who?.version}</p>
  </div>`;
}

/** The head of a view. @param {{title: any, sub?: any, children?: any}} props */
export function Head({ title, sub, children }) {
  return html`<header class="head">
    <button type="button" class="button burger" aria-label="Open the navigation" onClick=${() => (open.value = true)}><${Icon} name="menu" /></button>
    <div class="grow"><h1>${title}</h1>${sub && html`<p class="small quiet">${sub}</p>`}</div>
    ${children}
  </header>`;
}

export function Mark() {
  return html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#3b4fd8" />
    <path d="M7 20a9 9 0 0 1 18 0" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" />
    <path d="M16 20l4.5-5.5" stroke="#ffd166" stroke-width="3" stroke-linecap="round" /><circle cx="16" cy="20" r="2.2" fill="#fff" /></svg>`;
}
