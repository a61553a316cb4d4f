import { parse } from "yaml";
import { sameClass } from "../data/classes.ts";
import type { OnnxFile } from "../onnx/file.ts";

/** Class names in label order, and what states them. They are the word of whoever made the model. */
export interface StatedLabels {
  readonly names: readonly string[];
  /** In words: `"config.json (id2label)"`. */
  readonly source: string;
}

/** Metadata keys under which exporters keep class names. */
const KEYS = ["names", "id2label", "labels", "class_names", "classes"];

/** Characters of a name that a message shows. */
const MAX_SHOWN = 60;

/** The free-form entries of a model file. */
export function metadataOf({ model }: OnnxFile): Record<string, string> {
  return Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
}

/** Lists of class names in a model file: a list, or a map from index to name, as JSON or in Python's notation. */
export function labelsInMetadata(file: OnnxFile): StatedLabels[] {
  const metadata = metadataOf(file);
  return KEYS.flatMap((key) => {
    const names = namesIn(metadata[key] ?? "");
    return names.length === 0 ? [] : [{ names, source: `the model file (${key})` }];
  });
}

/**
 * The first list that names every class of the model, with a warning for each that does not fit it or says
 * otherwise than the first.
 * @param stated by precedence
 */
export function chooseLabels(
  stated: readonly StatedLabels[],
  classes: number,
): { readonly labels: StatedLabels | undefined; readonly warnings: readonly string[] } {
  const fits = ({ names }: StatedLabels) =>
    names.length === classes && names.every((name) => name !== "");
  const labels = stated.find(fits);
  const warnings = stated.flatMap((other) => {
    const { names, source } = other;
    if (!fits(other)) {
      const what =
        names.length === classes
          ? "leaves classes without a name"
          : `names ${names.length} classes, but the model has ${classes}`;
      return [`${source} ${what}: its names are not used.`];
    }
    const differing = names.flatMap((name, index) =>
      sameClass(name, labels!.names[index]!) ? [] : [index],
    );
    const [first] = differing;
    if (first === undefined) return [];
    return [
      `${source} names ${differing.length} of ${classes} classes otherwise than ${labels!.source} (class ${first}: ${shown(names[first]!)}, not ${shown(labels!.names[first]!)}): the latter counts.`,
    ];
  });
  return { labels, warnings };
}

/** A name in a message, cut short: its maker chose its length. */
function shown(name: string): string {
  return name.length <= MAX_SHOWN ? `"${name}"` : `"${name.slice(0, MAX_SHOWN)}…"`;
}

/** The names of a map from index to name; the empty name where an index is missing. */
export function namesByIndex(entries: Readonly<Record<string, unknown>>): string[] {
  const byIndex = new Map(Object.entries(entries));
  return Array.from({ length: byIndex.size }, (_, index) => String(byIndex.get(`${index}`) ?? ""));
}

function namesIn(text: string): string[] {
  const value = parsed(text);
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === "string" && value.includes(",")) {
    return value.split(",").map((name) => name.trim());
  }
  return typeof value === "object" && value !== null
    ? namesByIndex(value as Record<string, unknown>)
    : [];
}

/** JSON and Python's dicts and lists of quoted strings are all flow collections of YAML. */
function parsed(text: string): unknown {
  try {
    return parse(text, { logLevel: "silent" });
  } catch {
    return undefined;
  }
}
