// Settings: what the configuration is and whence, how the gateway is, what goes out of it, and who changed what. A tab asks once.
import { html } from "../core/html.js";
import { param, setParams } from "../core/router.js";
import { Choices } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Audit } from "./settings_audit.js";
import { Configuration } from "./settings_config.js";
import { Exports } from "./settings_exports.js";
import { Status } from "./settings_status.js";

const TABS = [["config", "Configuration"], ["status", "Status"], ["exports", "Exports"], ["audit", "Audit"]];
const SHOWN = { config: Configuration, status: Status, exports: Exports, audit: Audit };
const SUB = {
  config: "Every value in force, and where it was said.",
  status: "The processes, the ledger, and whether the books can be trusted.",
  exports: "What goes out of the ledger, when, and how it went.",
  audit: "Who changed, saw or tried what.",
};

export default function Settings() {
  const tab = param("tab") in SHOWN ? param("tab") : "config";
  const choose = (value) => setParams({ tab: value === "config" ? "" : value, q: "", kind: "", name: "", said: "" });
  return html`<${Head} title="Settings" sub=${SUB[tab]} />
    <div class="scroll"><${Choices} label="Part of the settings" options=${TABS} value=${tab} onChoose=${choose} /></div>
    <${SHOWN[tab]} key=${tab} />`;
}
