// What is said and asked about one alert: its whole story, silencing it, and a test of the channels of its rule.
import { html, useEffect, useState } from "../core/html.js";
import { Problem, ask } from "../core/api.js";
import { duration } from "../core/format.js";
import { Dialog } from "../ui/dialog.js";
import { Field } from "../ui/form.js";
import { Badge, When } from "../ui/parts.js";
import { Loading } from "../ui/states.js";

const OUTCOME = { sent: "good", "given up": "bad", "": "warn" };

/** @param {{of: any, onAcknowledge: (of: any) => void, onClose: () => void}} props */
export function Shown({ of, onAcknowledge, onClose }) {
  const actions = !of.resolved_at && !of.acknowledged_at && html`<button type="button" class="button first" onClick=${() => onAcknowledge(of)}>I look after it</button>`;
  return html`<${Dialog} title=${of.title} onClose=${onClose} actions=${actions}>
    <dl class="pairs">
      ${of.facts.map((fact) => html`<dt key=${`${fact.label} t`}>${fact.label}</dt><dd key=${fact.label}>${fact.value}</dd>`)}
      <dt>Rule</dt><dd>${of.rule}, ${of.kind.replaceAll("_", " ")}</dd>
      <dt>About</dt><dd class="mono">${of.subject || "all"}</dd>
      <dt>Fired</dt><dd><${When} of=${of.fired_at} /></dd>
      <dt>Over</dt><dd>${of.resolved_at ? html`<${When} of=${of.resolved_at} />, after ${duration((Date.parse(of.resolved_at) - Date.parse(of.fired_at)) * 1000)}` : "it fires"}</dd>
      ${of.acknowledged_at && html`<dt>Looked after</dt><dd>by ${of.acknowledged_by}, <${When} of=${of.acknowledged_at} /></dd>`}
    </dl>
    ${of.advice && html`<p class="small">${of.advice}</p>`}
    <div class="stack"><h3>Messages</h3>${of.deliveries.length ? html`<ul class="plain stack">${of.deliveries.map((one) => html`<li key=${`${one.channel} ${one.event} ${one.made_at}`} class="small"><${Badge} kind=${OUTCOME[one.outcome]}>${one.outcome || "is tried"}</${Badge}> ${one.event} to <strong>${one.channel}</strong>, <${When} of=${one.done_at || one.made_at} />${one.attempts > 1 && `, ${one.attempts} attempts`}
      ${one.said && html`<br /><span class="quiet">${one.said}</span>`}</li>`)}</ul>` : html`<p class="small quiet">${of.told_at ? "It went to no channel." : "It was silenced: nobody was told."}</p>`}</div>
  </${Dialog}>`;
}

const FOR = [["3600", "An hour"], ["28800", "Eight hours"], ["86400", "A day"], ["604800", "A week"], ["2592000", "30 days"]];

/** `of`: only this alert; without it, all of the rule. @param {{rule: string, of?: any, onDo: (body: any) => void, onClose: () => void}} props */
export function Silence({ rule, of, onDo, onClose }) {
  const [seconds, setSeconds] = useState("3600");
  const [reason, setReason] = useState("");
  const [only, setOnly] = useState(of?.subject ? "subject" : "rule");
  const submit = (event) => {
    event.preventDefault();
    onDo({ until: new Date(Date.now() + Number(seconds) * 1000).toISOString(), reason, subject: only === "subject" ? of.subject : "" });
  };
  return html`<${Dialog} title=${`Silence ${rule}`} onClose=${onClose}><form class="stack" onSubmit=${submit}>
    <p class="small">What fires meanwhile stands in the history, and is told afterwards if it still does.</p>
    ${of?.subject && html`<${Field} label="What" value=${only} onInput=${setOnly} options=${[["subject", `Only this: ${of.title}`], ["rule", "All of the rule"]]} />`}
    <${Field} label="For" value=${seconds} onInput=${setSeconds} options=${FOR} />
    <${Field} label="Why" value=${reason} onInput=${setReason} hint="For those who look later; it stands in the audit." focus />
    <div class="actions"><button type="button" class="button" onClick=${onClose}>Cancel</button><button class="button first">Silence it</button></div>
  </form></${Dialog}>`;
}

const LOOK_MS = 700;
const PATIENCE_MS = 60_000;

/** Asks for a test, and looks until the courier has answered. @param {{rule: string, onClose: () => void}} props */
export function Tested({ rule, onClose }) {
  const [test, setTest] = useState(null);
  const [problem, setProblem] = useState(null);
  const [late, setLate] = useState(false);
  useEffect(() => {
    const path = `/api/alerts/${encodeURIComponent(rule)}/test`;
    const began = Date.now();
    let timer = 0;
    let live = true;
    const take = ({ data }) => {
      if (!live) return;
      setTest(data);
      setLate(data.state === "waiting" && Date.now() - began > PATIENCE_MS / 6);
      if (data.state === "waiting" && Date.now() - began < PATIENCE_MS) timer = setTimeout(() => ask("GET", `${path}/${data.id}`).then(take, fail), LOOK_MS);
    };
    const fail = (error) => {
      if (!(error instanceof Problem)) throw error;
      if (live) setProblem(error);
    };
    ask("POST", path, { body: {} }).then(take, fail);
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, [rule]);
  return html`<${Dialog} title=${`Test of ${rule}`} onClose=${onClose}>
    <p class="small">A message that says that it is a test goes to each channel of the rule.</p>
    <div class="stack" role="status">
      ${problem && html`<p class="bad small">${problem.message} ${problem.hint}</p>`}
      ${!problem && (!test || test.state === "waiting") && html`<${Loading} lines=${2} />`}
      ${late && html`<p class="small warn">The courier has not answered yet. Settings, Status says whether it runs.</p>`}
      ${test?.channels.map((one) => html`<p key=${one.channel} class="small"><${Badge} kind=${one.ok ? "good" : "bad"}>${one.ok ? "arrived" : "failed"}</${Badge}> <strong>${one.channel}</strong> (${one.kind})<br /><span class="quiet">${one.said}</span></p>`)}
      ${test?.state === "failed" && html`<p class="bad small">${test.problem}</p>`}
    </div>
  </${Dialog}>`;
}
