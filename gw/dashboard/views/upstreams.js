// Upstreams and models: how each endpoint does now and has done, and what every model costs, by which card and from where.
import { html, useState } from "../core/html.js";
import { literal, search, useData } from "../core/api.js";
import { Link } from "../core/router.js";
import { ZONE, count, duration, percent, plural, short } from "../core/format.js";
import { range } from "../core/range.js";
import { RangePicker } from "../ui/range.js";
import { Chart, Spark } from "../ui/chart.js";
import { Badge, Card, Usd } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";
import { Table } from "../ui/table.js";
import { Fix, PriceOf, Rate, dated } from "./upstreams_prices.js";

/** Dialects as people call them. @type {Record<string, string>} */
const SPOKEN = { anthropic: "Anthropic", chat: "Chat Completions", responses: "Responses", gemini: "Gemini", converse: "Converse", cohere: "Cohere" };
const HEALTH = { good: ["good", "works"], troubled: ["warn", "some calls fail"], failing: ["bad", "fails"], idle: ["", "no calls now"] };

export default function Upstreams() {
  const { since, to } = range();
  const data = useData(`/api/upstreams${search({ from: since, to, tz: ZONE })}`, 10_000);
  return html`<${Head} title="Upstreams" sub="How the providers' endpoints do, and what each model costs there."><${RangePicker} /></${Head}>
    <${Await} of=${data} lines=${12}>${(found) => html`<${Page} of=${found} />`}</${Await}>`;
}

function Page({ of }) {
  const [shown, setShown] = useState("");
  const [fix, setFix] = useState("");
  const model = of.models.find((one) => one.name === shown);
  return html`
    <div class="grid">${of.upstreams.map((one) => html`<${Upstream} key=${one.name} of=${one} within=${of} />`)}</div>
    <${Unpriced} of=${of} onFix=${setFix} />
    <${Models} of=${of} onOpen=${(one) => setShown(one.name)} onFix=${setFix} />
    <${Overrides} of=${of} />
    ${model && html`<${PriceOf} of=${model} overrides=${of.overrides} onClose=${() => setShown("")} />`}
    ${fix && html`<${Fix} model=${fix} onClose=${() => setFix("")} />`}`;
}

/** What its calls say; and where attempts failed here and went elsewhere, that: an upstream that is left has no calls. */
function healthOf(of) {
  const { health } = of.lately;
  if (!of.failed_over || !["good", "idle"].includes(health)) return HEALTH[health];
  return health === "idle" ? ["bad", "calls go elsewhere"] : ["warn", "some calls go elsewhere"];
}

const ms = (value) => (value === null ? "–" : duration(value * 1000));

function Upstream({ of, within }) {
  const [kind, says] = healthOf(of);
  const minutes = Math.round(of.lately.seconds / 60);
  const title = html`<span class="row">${of.name} <${Badge} kind=${of.configured ? kind : ""} title=${`In the last ${minutes} minutes: ${plural(of.lately.values.calls, "call")}, ${of.lately.values.errors} failed`}>${of.configured ? says : "not configured any more"}</${Badge}></span>`;
  const side = html`<${Link} class="small" to="/logs" query=${{ upstream: literal(of.name) }}>Its calls</${Link}>`;
  const { values, lately } = of;
  return html`<${Card} title=${title} side=${side} label=${of.name}>
    <p class="small quiet" style=${{ marginBottom: "12px" }}>${of.configured ? html`${of.provider} at ${of.host}${of.region && `, ${of.region}`}${of.models.join() !== "*" && html` · ${of.models.join(", ")}`} · speaks ${of.dialects.map((one) => SPOKEN[one] || one).join(", ")}` : "It is in the ledger, but not in config.toml."}</p>
    <${Credentials} of=${of} />
    ${values.calls + of.failed_over + of.tried_again === 0 ? html`<p class="small quiet">No calls in this time.</p>` : html`<div class="grid stats" style=${{ gridTemplateColumns: "repeat(auto-fit, minmax(118px, 1fr))" }}>
      <${Figure} label="Calls" value=${short(values.calls)} title=${count(values.calls)} now=${`${count(lately.values.calls)} in ${minutes} min`} />
      <${Figure} label="Failed" value=${percent(values.error_rate, 2)} title=${`${count(values.errors)} of ${count(values.calls)}`} kind=${values.error_rate > 0.02 ? "bad" : ""} now=${now(percent(lately.values.error_rate))} />
      <${Figure} label="Went elsewhere" value=${count(of.failed_over)} title="Attempts that failed here and were made at another upstream" kind=${of.failed_over ? "warn" : ""} now=${of.tried_again ? `${count(of.tried_again)} again here, last hour` : "in the last hour"} />
      <${Figure} label="First token" value=${ms(values.first_token_ms)} title="Mean, of calls that completed" now=${now(ms(lately.values.first_token_ms))} />
      <${Figure} label="To the end" value=${ms(values.latency_ms)} title="Mean, of calls that completed" now=${now(ms(lately.values.latency_ms))} />
      <${Figure} label="Cost" value=${html`<${Usd} of=${values.billed_usd} />`} now=${html`<${Usd} of=${lately.values.billed_usd} /> in ${minutes} min`} />
    </div>`}
    <${Strip} of=${of} within=${within} />
  </${Card}>`;
}

const LEFT_ALONE = {
  calls: "Calls failed here, or were asked to wait: other places are tried first",
  probes: "It does not answer its probes: other places are tried first until it does",
};

/** What is known of each without asking for it; never the secret. */
function Credentials({ of }) {
  if (!of.credentials.length) return null;
  return html`<p class="small row" style=${{ margin: "-6px 0 12px" }}><span class="quiet">${of.credentials.length > 1 ? "Credentials" : "Credential"}</span>
    ${of.credentials.map((one) => {
      const [kind, says] = one.there === null ? ["", "The cloud gives it when it is asked for: gw check --reach asks"] : one.there ? ["good", "It is there"] : ["bad", "It is missing: virtual keys cannot use it"];
      return html`<${Badge} key=${one.name} kind=${kind} title=${`${says}${of.credentials.length > 1 ? `; weight ${one.weight}` : ""}`}>${one.name && `${one.name}: `}${one.source}${one.there === false ? ", missing" : ""}</${Badge}>${one.left_alone && html`<${Badge} kind="bad" title=${LEFT_ALONE[one.left_alone]}>left alone for ${duration(one.left_alone_s * 1e6)}</${Badge}>`}${one.limit_short && html`<${Badge} kind="warn" title="It says so itself: others are tried first">little left of its limit</${Badge}>`}${one.probed && html`<${Badge} kind=${one.probes_failed ? "bad" : "good"} title=${`Probed at ${one.probed}${one.probes_failed ? `, ${plural(one.probes_failed, "failure")} in a row` : ""}`}>probe ${duration(one.probe_ms * 1000)}</${Badge}>`}`;
    })}${!of.credential && html`<span class="warn">none for virtual keys</span>`}</p>`;
}

const now = (said) => (said === "–" ? "" : `${said} now`);

const Figure = ({ label, value, now, title, kind = "" }) =>
  html`<dl class="stat"><dt>${label}</dt><dd class=${`strong ${kind}`} style=${{ fontSize: "var(--text-l)", fontWeight: 620 }} title=${title}>${value}</dd><dd class="note">${now}</dd></dl>`;

const DRAWN_MAX = 4; // of more, a small line each

function Strip({ of, within }) {
  const per = within.bucket;
  const failed = of.errors.reduce((sum, one) => sum + one, 0);
  if (!of.values.calls) return null;
  if (within.upstreams.length > DRAWN_MAX) {
    return html`<div class="row" style=${{ marginTop: "14px" }}><${Spark} values=${of.calls} label=${`Calls per ${per} of ${of.name}: ${count(of.values.calls)} in all`} width=${160} />
      ${failed > 0 && html`<span class="bad"><${Spark} values=${of.errors} label=${`Failed calls per ${per} of ${of.name}: ${count(failed)} in all`} width=${160} /></span>`}</div>`;
  }
  const times = within.buckets.map((one) => Date.parse(one) / 1000);
  const series = [{ name: "answered or refused", values: of.calls.map((calls, at) => calls - of.errors[at]), color: 3 }, { name: "failed", values: of.errors, color: 2 }];
  return html`<div style=${{ marginTop: "14px" }}><${Chart} kind="bars" height=${130} times=${times} series=${series} hourly=${per === "hour"} format=${short} label=${`Calls per ${per} of ${of.name}`} /></div>`;
}

const WITHOUT = {
  "": "Calls of virtual keys that name one are refused; calls with a client's own credential pass and cost 0 here.",
  deny: "Calls that name one are refused.",
  allow_unpriced: "Their calls pass, and cost 0 here: no budget sees them.",
  fallback: "Their calls cost what [pricing.fallback] says.",
};

function Unpriced({ of, onFix }) {
  const found = of.models.filter((one) => !one.priced);
  if (!found.length) return null;
  return html`<section class="notice warn" aria-label="Without a price"><div class="stack" style=${{ flex: 1 }}>
    <p><strong>${plural(found.length, "model")} without a price.</strong> ${WITHOUT[of.unknown_model] || ""}</p>
    <div class="row">${found.slice(0, 12).map((one) => html`<button key=${one.name} type="button" class="button" onClick=${() => onFix(one.name)} title=${`Give a price to ${one.name}`}><span class="clip" style=${{ maxWidth: "260px" }}>${one.name}</span><span class="quiet">${plural(one.values.requests, "request")}</span></button>`)}</div>
  </div></section>`;
}

function Models({ of, onOpen, onFix }) {
  const first = (one) => one.cards[0];
  const rate = (name) => (one) => html`<${Rate} card=${first(one)} name=${name} />`;
  const columns = [
    { name: "model", title: "Model", cell: (one) => html`<button type="button" class="link nowrap" title=${one.served.join(", ")} onClick=${() => onOpen(one)}>${one.name}</button>` },
    { name: "calls", title: "Calls", number: true, cell: (one) => html`<span title=${`${count(one.values.errors)} failed`}>${count(one.values.calls)}</span>` },
    { name: "tokens", title: "Tokens", number: true, cell: (one) => html`<span title=${count(one.values.tokens)}>${short(one.values.tokens)}</span>` },
    { name: "cost", title: "Cost", number: true, cell: (one) => html`<${Usd} of=${one.values.billed_usd} />` },
    { name: "input", title: "Input", hint: "USD per million tokens", number: true, cell: rate("input") },
    { name: "output", title: "Output", hint: "USD per million tokens", number: true, cell: rate("output") },
    { name: "read", title: "Cached", hint: "USD per million tokens, read from the cache", number: true, cell: rate("cache_read") },
    { name: "write", title: "Write", hint: "USD per million tokens, written to the cache for 5 minutes", number: true, cell: rate("cache_write_5m") },
    { name: "card", title: "Price card", cell: (one) => html`<${CardCell} of=${one} onFix=${onFix} />` },
    { name: "overrides", title: "Overrides", cell: (one) => (one.overrides.length ? one.overrides.map((name) => html`<${Badge} key=${name} kind=${first(one)?.override === name ? "accent" : ""} title=${first(one)?.override === name ? "In these rates" : "For some accounts alone"}>${name}</${Badge}> `) : html`<span class="quiet">–</span>`) },
  ];
  const side = html`<span class="small quiet">Rates in USD per million tokens, from ${dated(of.price_source).text}</span>`;
  return html`<${Card} title="Models" side=${side} flush>${of.models.length ? html`<${Table} label="Models" columns=${columns} rows=${of.models} rowKey=${(one) => one.name} onOpen=${onOpen} />` : html`<${Empty} title="No calls in this time">Choose a longer one, or point Claude Code at this gateway.</${Empty}>`}
    ${of.models_hidden > 0 && html`<p class="small quiet" style=${{ padding: "8px 16px 12px" }}>And ${plural(of.models_hidden, "further model")} that cost less.</p>`}</${Card}>`;
}

function CardCell({ of, onFix }) {
  if (!of.cards.length) return html`<${Badge} kind="warn" title="No upstream is configured for it">no upstream</${Badge}>`;
  if (!of.priced) return html`<span class="row" style=${{ flexWrap: "nowrap" }}><${Badge} kind="warn">no price</${Badge}><button type="button" class="button bare" onClick=${() => onFix(of.name)} aria-label=${`Fix the price of ${of.name}`}>Fix</button></span>`;
  const [card, ...others] = of.cards;
  const differ = others.some((one) => JSON.stringify(one.rates) !== JSON.stringify(card.rates));
  return html`<span class="stack" style=${{ gap: 0 }}><span class="nowrap">${card.card}${differ && html` <${Badge} title="Another upstream has other rates">differs</${Badge}>`}</span>
    <span class="quiet nowrap" title=${card.source}>${dated(card.source).text}${card.by_served && ", by the answer's name"}</span></span>`;
}

function Overrides({ of }) {
  if (!of.overrides.length) return null;
  const columns = [
    { name: "name", title: "Override", cell: (one) => html`${one.name} ${!one.active && html`<${Badge} title="Its dates do not hold now">not now</${Badge}>`}` },
    { name: "scope", title: "For", cell: (one) => html`<span class="nowrap">${scope(one)}</span>` },
    { name: "does", title: "Does", cell: (one) => (one.multiplier ? `× ${one.multiplier}` : Object.entries(one.rates).map(([name, usd]) => `${name.replaceAll("_", " ")} $${usd}`).join(", ")) },
    { name: "dates", title: "From, until", cell: (one) => html`<span class="nowrap">${(one.from || "always").slice(0, 10)}, ${(one.until || "for good").slice(0, 10)}</span>` },
    { name: "models", title: "Models called", number: true, cell: (one) => count(of.models.filter((each) => each.overrides.includes(one.name)).length) },
  ];
  return html`<${Card} title="Negotiated prices" side=${html`<span class="small quiet">[[pricing.override]] in config.toml</span>`} flush><${Table} label="Negotiated prices" columns=${columns} rows=${of.overrides} rowKey=${(one) => one.name} /></${Card}>`;
}

function scope(one) {
  const parts = [one.model === "*" ? "all models" : one.model];
  if (one.upstream && one.upstream !== "*") parts.push(`at ${one.upstream}`);
  if (one.team) parts.push(`team ${one.team}`);
  if (one.key) parts.push(`key ${one.key}`);
  return parts.join(", ");
}
