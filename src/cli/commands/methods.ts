import { z } from "zod";
import {
  METHODS_SCHEMA_VERSION,
  type MethodEntry,
  type MethodsRecord,
} from "../../audit/methods-record.ts";
import { type AnyMethod, command } from "../command.ts";
import { columns } from "../help.ts";
import { fieldsOf, toText } from "../options/fields.ts";
import { methodNamed } from "../options/resolve.ts";
import { SLOTS } from "../slots.ts";

/** Lists every method, or describes one: all of it comes from the methods themselves. */
export const methods = command({
  name: "methods",
  summary: "list attacks, repairs, detectors and other defences, or describe one with its options",
  description:
    "Lists every method. With a name: its paper, how this implementation differs from it, and every option with its default.",
  argument: { name: "name", description: "a method, e.g. badnets", optional: true },
  options: z.strictObject({}),
  slots: {},
  examples: [
    { line: "antidote methods", purpose: "every method" },
    { line: "antidote methods badnets", purpose: "one method with its options" },
  ],

  async run({ argument }) {
    const all = Object.entries(SLOTS).flatMap(([kind, slot]) =>
      Object.values<AnyMethod>(slot.methods).map((method) => ({ kind, method })),
    );
    if (argument === "") {
      const entries = all.map(({ kind, method }) => entry(kind, method));
      return { document: record(entries), text: overview(entries), exitCode: 0 };
    }
    const byName = Object.fromEntries(all.map(({ method }) => [method.name, method]));
    const { name } = methodNamed("method", byName, argument);
    // A detector and a repair may share a name.
    const entries = all
      .filter(({ method }) => method.name === name)
      .map(({ kind, method }) => entry(kind, method));
    return {
      document: record(entries),
      text: entries.map(details).join("\n\n"),
      exitCode: 0,
    };
  },
});

function record(entries: MethodEntry[]): MethodsRecord {
  return { schemaVersion: METHODS_SCHEMA_VERSION, document: "methods", methods: entries };
}

function entry(kind: string, { name, summary, source, config }: AnyMethod): MethodEntry {
  const { paper, authors, year, section = null, deviations } = source;
  return {
    name,
    kind,
    summary,
    source: { paper, authors, year, section, deviations: [...deviations] },
    options: fieldsOf(config).map((field) => ({
      name: field.key,
      flag: `--${kind}.${field.flag}`,
      description: field.description,
      expects: field.expects,
      required: field.required,
      default: (field.default ?? null) as MethodEntry["options"][number]["default"],
    })),
  };
}

function overview(entries: readonly MethodEntry[]): string {
  const kinds = [...new Set(entries.map(({ kind }) => kind))];
  return kinds
    .map((kind) => {
      const own = entries.filter((entry) => entry.kind === kind);
      const rows = own.map(({ name, summary }) => [name, summary] as const);
      return `${kind}s (--${kind} NAME)\n${columns(rows)}`;
    })
    .join("\n\n");
}

function details({ name, kind, summary, source, options }: MethodEntry): string {
  const { paper, authors, year, section, deviations } = source;
  const where = section === null ? "" : `, ${section}`;
  return [
    `${name} (${kind})`,
    `  ${summary}`,
    "",
    "Source",
    `  ${authors} (${year}): ${paper}${where}.`,
    ...(deviations.length === 0 ? [] : ["", "Differences from the source"]),
    ...deviations.map((deviation) => `  - ${deviation}`),
    ...(options.length === 0 ? [] : ["", "Options"]),
    ...options.flatMap(optionLines),
  ].join("\n");
}

function optionLines(option: MethodEntry["options"][number]): string[] {
  const { flag, description, expects, required, default: value } = option;
  const fallback = required ? " (required)" : value === null ? "" : ` (default: ${toText(value)})`;
  return [`  ${flag}: ${expects}${fallback}`, `      ${description}`];
}
