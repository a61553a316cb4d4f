import { z } from "zod";
import { invariant } from "../../core/errors.ts";

/** One option as help texts, flags and configuration files know it; read from a zod schema. */
export interface Field {
  /** Name in the schema: camelCase. */
  readonly key: string;
  /** Name on the command line, without dashes in front: kebab-case. */
  readonly flag: string;
  readonly description: string;
  /** What a value must be, to complete "expects …": "a whole number of at least 1". */
  readonly expects: string;
  /** Stands for the value in help texts, e.g. "<n>"; empty for a switch. */
  readonly placeholder: string;
  /** Value if nobody gives one; undefined if there is none. */
  readonly default: unknown;
  readonly required: boolean;
  /** Heading in help texts. */
  readonly group: string | undefined;
  /** The value that a text on the command line stands for; the text itself if it stands for none. */
  parse(text: string): unknown;
}

/** Characters of choices that still fit into the column of flags in help texts. */
const MAX_CHOICES = 16;

type JsonSchema = Exclude<z.core.JSONSchema._JSONSchema, boolean>;

/** The options that an object schema describes, in its order. */
export function fieldsOf(schema: z.ZodType): Field[] {
  const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  invariant(described.type === "object", "options are described by an object schema");
  const required = new Set(described.required);
  return Object.entries(described.properties ?? {}).map(([key, value]) => {
    invariant(typeof value === "object", `the option "${key}" accepts anything`);
    const alternatives = alternativesOf(value);
    return {
      key,
      flag: toKebab(key),
      description: value.description ?? "",
      expects: metaText(value, "expects") ?? listed(alternatives.map(expectation)),
      placeholder: placeholder(value, alternatives),
      default: value.default,
      required: required.has(key),
      group: metaText(value, "group"),
      parse: (text) => parseText(alternatives, text),
    };
  });
}

/** "classesPerBatch" → "classes-per-batch". */
export function toKebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** "classes-per-batch" → "classesPerBatch". */
export function toCamel(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** A value as it is written on a command line. */
export function toText(value: unknown): string {
  if (value === null) return "none";
  if (Array.isArray(value)) return value.map(toText).join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** "a", "a or b", "a, b or c". */
export function listed(items: readonly string[], conjunction = "or"): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} ${conjunction} ${items.at(-1)}`;
}

function metaText(schema: JsonSchema, name: string): string | undefined {
  const value: unknown = schema[name];
  return typeof value === "string" ? value : undefined;
}

/** The schemas of which a value must satisfy one. */
function alternativesOf(schema: JsonSchema): JsonSchema[] {
  if (Array.isArray(schema.type)) {
    return (schema.type as JsonSchema["type"][]).map((type) => ({ ...schema, type }) as JsonSchema);
  }
  const union = schema.anyOf ?? schema.oneOf;
  if (union === undefined) return [schema];
  return union.flatMap((part) => (typeof part === "object" ? alternativesOf(part) : []));
}

function expectation(schema: JsonSchema): string {
  if (schema.const !== undefined) return toText(schema.const);
  if (schema.enum) return listed(schema.enum.map(toText));
  switch (schema.type) {
    case "integer":
      return `a whole number${bounds(schema)}`;
    case "number":
      return `a number${bounds(schema)}`;
    case "boolean":
      return "true or false";
    case "null":
      return "none";
    case "array":
      return listExpectation(schema);
    default:
      return "a text";
  }
}

function listExpectation({ items }: JsonSchema): string {
  const [item] = itemsOf(items);
  if (item?.enum)
    return `one or more of ${listed(item.enum.map(toText), "and")}, with commas between`;
  const isNumber = item?.type === "number" || item?.type === "integer";
  return `${isNumber ? "numbers" : "texts"} with commas between`;
}

function itemsOf(items: JsonSchema["items"]): JsonSchema[] {
  return typeof items === "object" && !Array.isArray(items) ? alternativesOf(items) : [];
}

function bounds(schema: JsonSchema): string {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  // zod bounds every whole number by what a double holds exactly; that goes without saying.
  const stated = (bound: unknown) =>
    typeof bound === "number" && Math.abs(bound) !== Number.MAX_SAFE_INTEGER;
  if (stated(minimum) && stated(maximum)) return ` from ${minimum} to ${maximum}`;
  const limits = [
    stated(above) ? `above ${above}` : stated(minimum) ? `of at least ${minimum}` : "",
    stated(below) ? `below ${below}` : stated(maximum) ? `of at most ${maximum}` : "",
  ].filter((limit) => limit !== "");
  return limits.length === 0 ? "" : ` ${limits.join(" and ")}`;
}

function placeholder(schema: JsonSchema, alternatives: readonly JsonSchema[]): string {
  const given = metaText(schema, "placeholder");
  if (given !== undefined) return `<${given}>`;
  const [first] = alternatives;
  if (first?.enum) {
    const choices = first.enum.map(toText).join("|");
    return choices.length <= MAX_CHOICES ? `<${choices}>` : "<choice>";
  }
  switch (first?.type) {
    case "boolean":
      return "<true|false>";
    case "integer":
    case "number":
      return "<n>";
    case "array":
      return "<list>";
    default:
      return "<text>";
  }
}

function parseText(alternatives: readonly JsonSchema[], text: string): unknown {
  for (const { type, items } of alternatives) {
    if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
    if (type === "null" && text === "none") return null;
    if ((type === "integer" || type === "number") && isNumeric(text)) return Number(text);
    if (type === "array") {
      return text.split(",").map((part) => parseText(itemsOf(items), part.trim()));
    }
  }
  return text;
}

function isNumeric(text: string): boolean {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
}
