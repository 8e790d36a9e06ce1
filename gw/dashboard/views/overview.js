import { html } from "../core/html.js";
import { Head } from "../ui/shell.js";
export default function Overview() { return html`<${Head} title="Overview" />`; }
