// The API's own document says what fields a thing has, and what each is for: forms are made from it.
import { ask } from "./api.js";
import { local } from "./format.js";

let kept = null;

/** @returns {Promise<Record<string, any>>} schemas by name */
export function schemas() {
  kept ||= ask("GET", "/api/openapi.json").then(({ data }) => data.components.schemas);
  kept.catch(() => (kept = null));
  return kept;
}

/**
 * What an input holds, as the API wants it: lists by commas or lines, whole numbers, nothing for what was left empty.
 * @param {any} schema of the field @param {string | boolean} value
 */
export function asJson(schema, value) {
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "boolean") return value === true || value === "true";
  const text = String(value).trim();
  if (type === "array") return text ? text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean) : undefined;
  if (type === "integer" || type === "number") return text === "" ? undefined : Number(text);
  if (schema.format === "date-time") return text ? new Date(text).toISOString() : null;
  return text;
}

/** What stands in the input for a value of the API. @param {any} schema @param {any} value */
export function asText(schema, value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return schema.format === "date-time" ? local(value) : String(value);
}
