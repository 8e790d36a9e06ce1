// The first page: what was spent against what may be, where it goes, what has changed, and what needs somebody's eye.
import { html } from "../core/html.js";
import { useData } from "../core/api.js";
import { Link, param, setParams } from "../core/router.js";
import { session } from "../core/session.js";
import { ZONE, change, count, drawnUsd, duration, ms, percent, plural, short, usd } from "../core/format.js";
import { Chart } from "../ui/chart.js";
import { Badge, Bar, Card, Choices, Meter, Stat, Usd, When } from "../ui/parts.js";
import { Head } from "../ui/shell.js";
import { Await, Empty } from "../ui/states.js";

const DAYS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"]];
const BY = [["team", "Team"], ["model", "Model"], ["key", "Key"], ["project", "Project"], ["kind", "Kind"]];
const OWN = BY.filter(([name]) => name !== "team" && name !== "key");
const NONE = { team: "no team", key: "own credentials", project: "no project", model: "no model" };
const KIND = { main: "main sessions", subagent: "subagents", background: "background", other: "other clients" };

const SEVERITY = { info: "accent", warning: "warn", critical: "bad" };

/** Of what one may choose; the address bar may hold anything. @param {string[][]} options @param {string} value */
const known = (options, value) => (options.some(([name]) => name === value) ? value : "");

export default function Overview() {
  const days = known(DAYS, param("days")) || "30";
  const by = known(BY, param("by")) || (session.value?.role === "key" ? "model" : "team");
  const data = useData(`/api/usage/overview?days=${days}&tz=${encodeURIComponent(ZONE)}`, 5_000);
  const choice = html`<${Choices} label="How far back" options=${DAYS} value=${days} onChoose=${(value) => setParams({ days: value === "30" ? "" : value })} />`;
  return html`<${Head} title="Overview" sub=${session.value?.role === "key" ? `What the key ${session.value.key} has used.` : "What all of it costs, and who spends it."}>${choice}</${Head}>
    <${Await} of=${data} lines=${10}>${(found) => (found.values.requests || found.spent.this_month.values.calls ? html`<${Page} of=${found} by=${by} days=${days} />` : html`<${First} />`)}</${Await}>`;
}

function First() {
  return html`<${Card}><${Empty} title="No calls yet">Point Claude Code at this gateway and this page fills by itself:
    <br /><code>export ANTHROPIC_BASE_URL=${location.origin}/anthropic</code></${Empty}></${Card}>`;
}

const DAYS_MIN = 7;

/** Without the days before anything was called: a chart of a young gateway is no empty frame. */
function begun(of) {
  const first = of.days.findIndex((one) => one.values.calls);
  const cut = Math.max(Math.min(first < 0 ? of.days.length : first, of.days.length - DAYS_MIN), 0);
  if (!cut) return of;
  const series = Object.entries(of.series).map(([name, shares]) => [name, shares.map((one) => ({ ...one, days: one.days.slice(cut) }))]);
  return { ...of, days: of.days.slice(cut), series: Object.fromEntries(series) };
}

function Page({ of: all, by, days }) {
  const of = begun(all);
  const turn = (value) => setParams({ by: value });
  return html`
    <div class="grid stats">
      <${Period} label="Today" of=${of.spent.today} before="yesterday" fullest=${of.fullest.today} />
      <${Period} label="This week" of=${of.spent.this_week} before="last week" fullest=${of.fullest.this_week} />
      <${Period} label="This month" of=${of.spent.this_month} before="last month" fullest=${of.fullest.this_month} />
      <${Stat} label="Month's end" figure=${html`<${Usd} of=${of.forecast.month_end_usd} />`} title=${`Forecast: ${of.forecast.method}`} note="at the pace of the last weeks" />
    </div>
    <div class="grid wide">
      <${Card} title="Spent per day" side=${html`<${Choices} label="Split by" options=${session.value?.role === "key" ? OWN : BY} value=${by} onChoose=${turn} />`}><${Spent} of=${of} by=${by} /></${Card}>
      <${Attention} of=${of} days=${days} />
    </div>
    <div class="grid figures"><${Figures} of=${of} days=${days} /></div>
    <div class="grid"><${Shares} of=${of} by=${by} /><${Movers} of=${of} by=${by} days=${days} /></div>
    <div class="grid"><${Tokens} of=${of} /><${Calls} of=${of} /></div>`;
}

/** What was spent, against the time before and against the budget of such a period that is used up most. */
function Period({ label, of, before, fullest }) {
  const now = Number(of.values.billed_usd);
  const then = Number(of.previous.billed_usd);
  const note = then ? html`${change(now, then)} <span class="quiet">against ${before}</span>` : `nothing ${before}`;
  return html`<${Stat} label=${label} figure=${html`<${Usd} of=${of.values.billed_usd} />`} note=${then || now ? note : "nothing yet"} title=${`${usd(of.previous.billed_usd)} ${before} by this hour`}>
    ${fullest && html`<${Fullest} of=${fullest} />`}</${Stat}>`;
}

function Fullest({ of: { share, standing } }) {
  const said = `The fullest such budget: ${standing.id} of ${standing.account}`;
  return html`<dd class="fullest" title=${said}><${Meter} share=${share} label=${`${said}, ${percent(share, 0)} used`} />
    <span class="row spread small quiet"><span class="clip">${standing.account}</span><span class="nowrap">${percent(share, 0)} of ${usd(standing.limit_usd)}</span></span></dd>`;
}

const named = (by, name) => (name === null ? "all others" : by === "kind" ? KIND[name] || name : name || NONE[by]);

function Spent({ of, by }) {
  const times = of.days.map((one) => Date.parse(one.day) / 1000);
  const shares = of.series[by].filter((one) => one.days.length);
  const series = shares.map((one, at) => ({ name: named(by, one.name), values: one.days.map(Number), color: at + 1 }));
  const rest = of.days.map((one, at) => Math.max(0, Number(one.values.billed_usd) - series.reduce((sum, each) => sum + each.values[at], 0)));
  if (rest.some((value) => value > 1e-6)) series.push({ name: "all others", values: rest, color: 0 });
  return html`<${Chart} kind="bars" times=${times} series=${series} format=${drawnUsd} label=${`Spent per day by ${by}`} height=${270} />`;
}

function Attention({ of, days }) {
  const { values, budgets, unpriced, firing } = of;
  const found = [
    ...firing.map((one) => html`<li key=${`alert ${one.id}`} class="row spread small"><span class="row" style=${{ flexWrap: "nowrap", alignItems: "flex-start" }}><${Badge} kind=${SEVERITY[one.severity]} title=${`The alert ${one.rule}`}>${one.acknowledged ? "seen" : one.severity}</${Badge}>
      <${Link} to="/alerts">${one.title}</${Link}></span><span class="quiet"><${When} of=${one.fired_at} relative /></span></li>`),
    ...budgets.map((one) => html`<li key=${`${one.standing.id} ${one.standing.account}`} class="stack" style=${{ gap: "4px" }}><div class="row spread"><${Link} to=${session.value?.role === "key" ? "/me" : "/budgets"}>${one.standing.account}</${Link}>
      <span class="small quiet">${percent(one.share, 0)} of ${usd(one.standing.limit_usd)}</span></div><${Meter} share=${one.share} label=${`${one.standing.id} of ${one.standing.account}`} />
      ${one.share < 1 && one.exhausted_at && html`<span class="small bad">spent <${When} of=${one.exhausted_at} relative /> at this pace</span>`}
      ${one.share >= 1 && html`<span class="small quiet">${one.standing.id}${one.standing.mode === "hard" ? "" : `, ${one.standing.mode}`}</span>`}</li>`),
    ...unpriced.map((one) => html`<li key=${one.model} class="row spread"><span class="clip"><${Badge} kind="warn">no price</${Badge}> ${one.model}</span><span class="small quiet">${plural(one.requests, "request")}</span></li>`),
  ];
  if (values.error_rate > 0.02) found.push(html`<li key="errors" class="row spread small"><span><${Badge} kind="bad">failed</${Badge}> <${Link} to="/explore" query=${{ group: "error", measure: "errors", range: `${days}d` }}>of all calls</${Link}></span><span>${percent(values.error_rate)}</span></li>`);
  if (values.refused) found.push(html`<li key="refused" class="row spread small"><span><${Badge} kind="warn">refused</${Badge}> <${Link} to="/logs" query=${{ outcome: "refused", range: `${days}d` }}>by budgets, limits, rules</${Link}></span><span>${count(values.refused)}</span></li>`);
  return html`<${Card} title="Needs attention">${found.length ? html`<ul class="stack plain">${found}</ul>` : html`<p class="small quiet">Nothing: every budget is below 80 %, every model has a price, no alert fires, and calls succeed.</p>`}</${Card}>`;
}

function Figures({ of, days }) {
  const { values, previous } = of;
  const before = `in the ${days} days before`;
  return html`
    <${Stat} label="Calls" figure=${short(values.calls)} title=${`${count(values.calls)}; ${count(previous.calls)} ${before}`} note=${`${short(previous.calls)} before`} />
    <${Stat} label="Tokens" figure=${short(values.tokens)} title=${`${count(values.tokens)}; ${count(previous.tokens)} ${before}`} note=${`${short(previous.tokens)} before`} />
    <${Stat} label="From the cache" figure=${percent(values.cache_read_share)} note="of the prompts" title="The higher, the cheaper: what is read from the cache costs a tenth." />
    <${Stat} label="Failed" figure=${percent(values.error_rate, 2)} note=${`${count(values.errors)} of ${short(values.calls)}`} kind=${values.error_rate > 0.02 ? "bad" : ""} />
    <${Stat} label="First token" figure=${ms(values.first_token_ms)} note=${`${ms(values.latency_ms)} to the end`} title="Means, of calls that completed" />
    ${of.added && html`<${Stat} label="Added by gw" figure=${duration(of.added.half_us)} note=${of.added.most_us ? `99 % in ${duration(of.added.most_us)}` : "half of the calls"} title=${`Half of ${count(of.added.calls)} calls since gw started took no longer: its own work, without waiting`} />`}`;
}

function Shares({ of, by }) {
  const whole = Number(of.values.billed_usd) || 1;
  const title = { team: "Teams", model: "Models", key: "Keys", project: "Projects", kind: "Kinds of sessions" }[by];
  return html`<${Card} title=${title} side=${html`<${Link} class="small" to="/explore" query=${{ group: by }}>Explore</${Link}>`}><div class="stack">
    ${of.series[by].map((one) => html`<${Bar} key=${one.name} label=${named(by, one.name)} name=${named(by, one.name)} share=${Number(one.billed_usd) / whole}
      figure=${html`<${Usd} of=${one.billed_usd} /> <span class="quiet">${percent(Number(one.billed_usd) / whole, 0)}</span>`} />`)}
    ${!of.series[by].length && html`<p class="small quiet">Nothing was spent.</p>`}</div></${Card}>`;
}

function Movers({ of, by, days }) {
  const movers = of.movers[by] || [];
  return html`<${Card} title=${`Changed most against the ${days} days before`}><div class="stack">
    ${movers.map((one) => {
      const more = !one.change_usd.startsWith("-");
      return html`<div class="row spread small" key=${one.name}><span class="clip">${named(by, one.name)}</span><span class="row"><${Usd} of=${one.billed_usd} />
        <span class=${more ? "warn" : "good"}>${more ? "+" : ""}${usd(one.change_usd)}</span></span></div>`;
    })}
    ${!movers.length && html`<p class="small quiet">Nothing has changed.</p>`}</div></${Card}>`;
}

const CLASSES = [["cache_read_tokens", "cache read"], ["cache_write_5m_tokens", "cache write, 5 min"], ["cache_write_1h_tokens", "cache write, 1 h"], ["input_tokens", "input"], ["output_tokens", "output"]];

function Tokens({ of }) {
  const times = of.days.map((one) => Date.parse(one.day) / 1000);
  const series = CLASSES.map(([name, title], at) => ({ name: title, values: of.days.map((one) => one.values[name]), color: at + 1 })).filter((one) => one.values.some(Boolean));
  return html`<${Card} title="Tokens per day"><${Chart} kind="bars" times=${times} series=${series} format=${short} label="Tokens per day by class" /></${Card}>`;
}

function Calls({ of }) {
  const times = of.days.map((one) => Date.parse(one.day) / 1000);
  const good = { name: "completed", values: of.days.map((one) => one.values.calls - one.values.failed), color: 3 };
  const other = { name: "refused, cut or failed", values: of.days.map((one) => one.values.failed), color: 2 };
  return html`<${Card} title="Calls per day"><${Chart} kind="bars" times=${times} series=${[good, other]} format=${short} label="Calls per day" /></${Card}>`;
}
