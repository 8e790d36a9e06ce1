// Icons, drawn for this dashboard on a grid of 16: one stroke, round ends.
import { html } from "../core/html.js";

const PATHS = {
  overview: "M2 9.5 8 3l6 6.5M4 8v5h8V8",
  explore: "M2 13V3M2 13h12M5 10.5l3-3.5 2.5 2L14 5",
  logs: "M2.5 4h11M2.5 8h11M2.5 12h7",
  sessions: "M3 3v7.5A2.5 2.5 0 0 0 5.5 13H13M3 6.5h6M10.5 10.5 13 13l-2.5 2.5M9 4.5l2 2-2 2",
  accounts: "M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8ZM2.8 13.6a5.4 5.4 0 0 1 10.4 0",
  team: "M6 8a2.3 2.3 0 1 0 0-4.6A2.3 2.3 0 0 0 6 8ZM1.6 13a4.5 4.5 0 0 1 8.8 0M10.4 3.7a2.2 2.2 0 0 1 0 4.1M11.8 9.6a4.4 4.4 0 0 1 2.7 3.4",
  company: "M3 13.5V4.2L8.5 2v11.5M8.5 6l4.5 1.8v5.7M1.5 13.5h13M5.6 6.5v.01M5.6 9v.01M5.6 11.3v.01",
  key: "M5.4 13.4a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8ZM7.5 8.4 13.3 2.6M11 4.9l2 2",
  budgets: "M2 11a6 6 0 1 1 12 0M8 11l3-3.6",
  upstreams: "M4.5 12.5h7a3 3 0 0 0 .4-6A4 4 0 0 0 4 7a2.8 2.8 0 0 0 .5 5.5Z",
  alerts: "M8 2.5a4 4 0 0 0-4 4c0 3.5-1.3 4.5-1.3 4.5h10.6S12 10 12 6.5a4 4 0 0 0-4-4ZM6.8 13.5a1.3 1.3 0 0 0 2.4 0",
  settings: "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 1.8v1.7M8 12.5v1.7M1.8 8h1.7M12.5 8h1.7M3.6 3.6l1.2 1.2M11.2 11.2l1.2 1.2M12.4 3.6l-1.2 1.2M4.8 11.2l-1.2 1.2",
  theme: "M8 2a6 6 0 1 0 6 6 4.6 4.6 0 0 1-6-6Z",
  out: "M6 13.5H3v-11h3M10 11l3-3-3-3M13 8H6",
  menu: "M2 4h12M2 8h12M2 12h12",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  check: "M3 8.5 6.5 12 13 4.5",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5 14 14",
  plus: "M8 3v10M3 8h10",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  up: "M8 13V3.5M4 7l4-4 4 4",
  down: "M8 3v9.5M4 9l4 4 4-4",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2v9.6L12.5 8Z",
  export: "M8 2.5v7M5 6.8l3 3 3-3M2.5 11v2.5h11V11",
  help: "M6 6.2a2 2 0 1 1 2.7 1.9c-.5.2-.7.6-.7 1.2M8 11.8h.01M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Z",
};

/** @param {{name: keyof typeof PATHS, size?: number}} props */
export function Icon({ name, size = 16 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" fill="none" stroke="currentColor"
    stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
