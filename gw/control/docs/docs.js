// Renders openapi.json, and sends requests for whoever has a token. Text goes into the page as text only; the token stays in
// its input field. Nothing is loaded from anywhere else.
"use strict";

const METHODS = ["get", "post", "patch", "delete"];
const BASE = location.pathname.replace(/\/api\/docs\/?$/, "");
const DOCUMENT = `${BASE}/api/openapi.json`;
const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

// Words of the document: `code` between backticks is all the markup there is.
function words(text, tag = "p") {
  const parts = text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
  return make(tag, {}, ...parts);
}

class Api {
  constructor(description) {
    this.description = description;
  }

  resolved(thing) {
    while (thing && thing.$ref) {
      thing = thing.$ref.slice(2).split("/").reduce((at, key) => at[key], this.description);
    }
    return thing;
  }

  operations() {
    const found = [];
    for (const [path, item] of Object.entries(this.description.paths)) {
      for (const method of METHODS) {
        if (item[method]) found.push({ path, method, ...item[method] });
      }
    }
    return found;
  }
}

function typeOf(api, schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const alternatives = schema.anyOf || schema.oneOf;
  if (alternatives) return alternatives.map((one) => typeOf(api, one)).join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(", ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeOf(api, schema.items || {})}`;
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type || "anything";
  return schema.format ? `${type} (${schema.format})` : type;
}

function table(head, rows) {
  const cells = (row, tag) => make("tr", {}, ...row.map((cell) => make(tag, {}, cell)));
  const body = make("tbody", {}, ...rows.map((row) => cells(row, "td")));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, cells(head, "th")), body));
}

function fieldRows(api, schema, before = "") {
  const whole = api.resolved(schema);
  const required = new Set(whole.required || []);
  return Object.entries(whole.properties || {}).flatMap(([name, one]) => {
    const about = [api.resolved(one).description || one.description || ""];
    if (one.default !== undefined) about.push(`Default: \`${JSON.stringify(one.default)}\`.`);
    const mark = required.has(name) ? " *" : "";
    const row = [make("span", {}, make("code", {}, before + name), mark), typeOf(api, one), words(about.join(" "), "span")];
    const inner = api.resolved(one.type === "array" ? one.items : one) || {};
    return [row, ...(inner.properties && before.split(".").length < 3 ? fieldRows(api, inner, `${before}${name}.`) : [])];
  });
}

function bodySchema(operation) {
  return operation.requestBody && operation.requestBody.content["application/json"].schema;
}

function exampleOf(api, schema) {
  const whole = api.resolved(schema);
  if (whole.examples) return whole.examples[0];
  const required = new Set(whole.required || []);
  const entries = Object.entries(whole.properties || {}).filter(([name]) => required.has(name));
  return Object.fromEntries(entries.map(([name, one]) => [name, (api.resolved(one).examples || [""])[0]]));
}

function parametersOf(api, operation) {
  return (operation.parameters || []).map((one) => api.resolved(one));
}

function tryForm(api, operation) {
  const inputs = parametersOf(api, operation).map((one) => {
    const input = make("input", { spellcheck: "false", autocomplete: "off" });
    return { one, input, label: make("label", {}, make("code", {}, `${one.name}${one.required ? " *" : ""}`), input) };
  });
  const schema = bodySchema(operation);
  const text = schema ? make("textarea", { spellcheck: "false", "aria-label": "Body" }) : null;
  if (text) text.value = JSON.stringify(exampleOf(api, schema), null, 2);
  const output = make("pre", { "aria-live": "polite" });
  output.hidden = true;
  const form = make("form", { class: "try" }, ...inputs.map((one) => one.label), text, make("span", {}, make("button", {}, "Send")), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.hidden = false;
    output.textContent = "…";
    output.textContent = await answerTo(operation, inputs, text);
  });
  return form;
}

async function answerTo(operation, inputs, text) {
  const headers = { authorization: `Bearer ${byId("token").value.trim()}` };
  if (byId("actor").value.trim()) headers["x-gw-actor"] = byId("actor").value.trim();
  if (text) headers["content-type"] = "application/json";
  const query = new URLSearchParams();
  let path = operation.path;
  for (const { one, input } of inputs) {
    if (one.in === "path") path = path.replace(`{${one.name}}`, encodeURIComponent(input.value));
    else if (input.value && one.in === "query") query.set(one.name, input.value);
    else if (input.value) headers[one.name] = input.value;
  }
  const url = `${BASE}${path}${query.size ? `?${query}` : ""}`;
  try {
    const answer = await fetch(url, { method: operation.method.toUpperCase(), headers, body: text ? text.value : undefined });
    const shown = ["etag", "location", "retry-after", "allow"].filter((name) => answer.headers.get(name));
    const head = [`${answer.status} ${answer.statusText}`, ...shown.map((name) => `${name}: ${answer.headers.get(name)}`)];
    const body = await answer.text();
    try {
      return `${head.join("\n")}\n\n${JSON.stringify(JSON.parse(body), null, 2)}`;
    } catch {
      return `${head.join("\n")}\n\n${body}`;
    }
  } catch (error) {
    return String(error);
  }
}

function rendered(api, operation) {
  const about = make("div", {}, words(operation.description || ""));
  const parameters = parametersOf(api, operation);
  if (parameters.length) {
    const rows = parameters.map((one) => [make("code", {}, `${one.name}${one.required ? " *" : ""}`), one.in, words(one.description || "", "span")]);
    about.append(make("h3", {}, "Parameters"), table(["Name", "In", "What it does"], rows));
  }
  const schema = bodySchema(operation);
  if (schema) about.append(make("h3", {}, "Body"), table(["Field", "Type", "What it says"], fieldRows(api, schema)));
  const answers = Object.entries(operation.responses).map(([status, one]) => {
    const answer = api.resolved(one);
    const content = Object.values(answer.content || {})[0];
    return [status, content ? typeOf(api, content.schema) : "", words(answer.description, "span")];
  });
  about.append(make("h3", {}, "Answers"), table(["Status", "Body", "When"], answers));
  about.append(make("h3", {}, "Try it"), tryForm(api, operation));
  const head = make("summary", {}, make("span", { class: `method ${operation.method}` }, operation.method),
    make("code", {}, operation.path), make("span", { class: "soft" }, operation.summary));
  return make("details", { id: operation.operationId }, head, about);
}

function problems(description) {
  const list = make("dl", {});
  for (const one of description["x-problems"]) {
    list.append(make("dt", { id: `problem-${one.slug}` }, `${one.slug} (${one.status})`), make("dd", {}, words(`${one.title}. ${one.hint}`, "span")));
  }
  return list;
}

function schemas(api) {
  return Object.entries(api.description.components.schemas).map(([name, schema]) => {
    const about = make("div", {}, words(schema.description || ""), table(["Field", "Type", "What it says"], fieldRows(api, schema)));
    return make("details", { id: `schema-${name}` }, make("summary", {}, make("code", {}, name)), about);
  });
}

function show(description) {
  const api = new Api(description);
  const main = byId("operations");
  const contents = byId("contents");
  byId("version").textContent = description.info.version;
  main.replaceChildren(...description.info.description.split("\n\n").map((text) => words(text)));
  for (const tag of description.tags) {
    const found = api.operations().filter((one) => one.tags.includes(tag.name));
    main.append(make("h2", {}, tag.name), words(tag.description), ...found.map((one) => rendered(api, one)));
    contents.append(make("strong", {}, tag.name), ...found.map((one) => make("a", { href: `#${one.operationId}` }, one.summary)));
  }
  main.append(make("h2", { id: "schemas" }, "Schemas"), ...schemas(api), make("h2", { id: "problems" }, "Problems"), problems(description));
  contents.append(make("strong", {}, "Reference"), make("a", { href: "#schemas" }, "Schemas"), make("a", { href: "#problems" }, "Problems"));
  const open = () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (target) {
      if (target.tagName === "DETAILS") target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
}

byId("document").href = DOCUMENT;
fetch(DOCUMENT)
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { byId("about").textContent = `The document could not be loaded: ${error}`; });
