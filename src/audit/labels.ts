import { parse } from "yaml";
import type { OnnxFile } from "../onnx/file.ts";

/** Metadata keys under which exporters keep class names. */
const KEYS = ["names", "id2label", "labels", "class_names", "classes"];

/** The free-form entries of a model file. */
export function metadataOf({ model }: OnnxFile): Record<string, string> {
  return Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
}

/**
 * The class names that a model file carries, in label order: a list, or a map from index to name, as
 * JSON or in Python's notation. They are the word of whoever made the file.
 * @returns undefined unless there are exactly `classes` of them
 */
export function labelsOf(file: OnnxFile, classes: number): readonly string[] | undefined {
  const metadata = metadataOf(file);
  for (const key of KEYS) {
    const names = namesIn(metadata[key] ?? "");
    if (names.length === classes && names.every((name) => name !== "")) return names;
  }
  return undefined;
}

function namesIn(text: string): string[] {
  const value = parsed(text);
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === "string" && value.includes(",")) {
    return value.split(",").map((name) => name.trim());
  }
  if (typeof value !== "object" || value === null) return [];
  const byIndex = new Map(Object.entries(value));
  return Array.from({ length: byIndex.size }, (_, index) => String(byIndex.get(`${index}`) ?? ""));
}

/** JSON and Python's dicts and lists of quoted strings are all flow collections of YAML. */
function parsed(text: string): unknown {
  try {
    return parse(text, { logLevel: "silent" });
  } catch {
    return undefined;
  }
}
