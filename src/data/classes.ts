import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { readBytes } from "./files.ts";

/** Which class each folder of images stands for. */
export interface ClassAssignment {
  /** The label of folders[i] is labels[i]. */
  readonly labels: readonly number[];
  readonly classNames: readonly string[];
  /** The rule that decided, in words for the user. */
  readonly rule: string;
}

export interface ClassRules {
  /** A file that lists the classes in label order (`--classes`): see `readClassNames`. */
  readonly classes?: string | undefined;
  /** Names in label order that the model itself carries; used where the folders bear just these. */
  readonly classNames?: readonly string[] | undefined;
  /** What states those names, in words; by default the model. */
  readonly classNamesFrom?: string | undefined;
  /** How many classes the model has. */
  readonly classCount?: number | undefined;
}

/**
 * Decides the label of every folder. The first rule that applies wins: (a) the `--classes` file;
 * (b) an index in front of every folder name (`0_airplane`, `03-cat`, `7`); (c) the model's own class
 * names, if every folder bears one; (d) alphabetical order, for which no class may be missing.
 * Errors: `CLASSES_MISMATCH` if a folder is no class, two folders are the same class or, by (d), the
 * numbers differ.
 */
export async function assignClasses(
  folders: readonly string[],
  rules: ClassRules,
  place: string,
): Promise<ClassAssignment> {
  if (rules.classes !== undefined) {
    const names = await readClassNames(rules.classes);
    checkClassCount(names.length, rules.classCount, rules.classes);
    return byName(folders, names, `names listed in ${rules.classes}`, place);
  }
  const prefixes = folders.map((folder) => /^(\d+)(?:[\s._-]+(.*))?$/.exec(folder));
  if (prefixes.every((prefix) => prefix !== null)) return byPrefix(folders, prefixes, rules, place);
  const own = rules.classNames;
  if (own !== undefined && folders.every((folder) => indexOfName(folder, own) !== undefined)) {
    const from = rules.classNamesFrom ?? "the model";
    return byName(folders, own, `class names in ${from}`, place);
  }
  return alphabetically(folders, rules.classCount ?? own?.length, place);
}

function byName(
  folders: readonly string[],
  names: readonly string[],
  rule: string,
  place: string,
): ClassAssignment {
  const labels = folders.map((folder) => {
    const label = indexOfName(folder, names);
    if (label !== undefined) return label;
    const suggestion = nearest(folder, names);
    const hint = suggestion === undefined ? "" : ` The nearest is "${suggestion}".`;
    throw mismatch(`The folder "${folder}" is none of the ${names.length} classes.${hint}`, place);
  });
  refuseRepeats(folders, labels, place);
  return { labels, classNames: names, rule };
}

function byPrefix(
  folders: readonly string[],
  prefixes: readonly RegExpExecArray[],
  rules: ClassRules,
  place: string,
): ClassAssignment {
  const labels = prefixes.map((prefix) => Number(prefix[1]));
  const largest = labels.reduce((max, label) => Math.max(max, label), 0);
  const total = rules.classCount ?? rules.classNames?.length ?? largest + 1;
  if (largest >= total) {
    const folder = folders[labels.indexOf(largest)];
    throw mismatch(
      `The folder "${folder}" has index ${largest}, but the model has classes 0 to ${total - 1}.`,
      place,
    );
  }
  refuseRepeats(folders, labels, place);
  const classNames = Array.from(
    { length: total },
    (_, label) => rules.classNames?.[label] ?? `class ${label}`,
  );
  labels.forEach((label, i) => {
    const written = prefixes[i]![2];
    if (written) classNames[label] = written;
  });
  return { labels, classNames, rule: "index in front of the folder names" };
}

function alphabetically(
  folders: readonly string[],
  classCount: number | undefined,
  place: string,
): ClassAssignment {
  if (classCount !== undefined && folders.length !== classCount) {
    throw mismatch(
      `There are ${folders.length} class folders (${abridged(folders)}), but the model has ${classCount} classes.`,
      place,
    );
  }
  const classNames = [...folders].sort();
  const labels = folders.map((folder) => classNames.indexOf(folder));
  return { labels, classNames, rule: "alphabetical order of the folder names" };
}

/** Throws `CLASSES_MISMATCH` unless the images' classes are as many as the model's. */
export function checkClassCount(found: number, wanted: number | undefined, place: string): void {
  if (wanted !== undefined && found !== wanted) {
    throw mismatch(`"${place}" has ${found} classes, but the model has ${wanted}.`, place);
  }
}

function mismatch(message: string, place: string): AntidoteError {
  return new AntidoteError("CLASSES_MISMATCH", message, {
    place,
    next: "Begin every folder name with its class index (0_airplane), or give the class names in label order with --classes.",
  });
}

function refuseRepeats(folders: readonly string[], labels: readonly number[], place: string): void {
  const second = labels.findIndex((label, i) => labels.indexOf(label) < i);
  if (second < 0) return;
  const first = labels.indexOf(labels[second]!);
  throw mismatch(
    `The folders "${folders[first]}" and "${folders[second]}" are both class ${labels[second]}.`,
    place,
  );
}

/**
 * Where `name` stands among `names`, case and separators ignored; undefined if nowhere, or at several places. ImageNet's
 * lists name one class `n01440764 tench, Tinca tinca`: the identifier or any one of the synonyms is enough. An
 * exact match goes before a synonym (two ImageNet classes share the synonym "crane").
 */
export function indexOfName(name: string, names: readonly string[]): number | undefined {
  const wanted = plain(name);
  const where = (matches: (candidate: string) => boolean) =>
    names.flatMap((candidate, index) => (matches(candidate) ? [index] : []));
  const exact = where((candidate) => plain(candidate) === wanted);
  const found = exact.length > 0 ? exact : where((it) => synonyms(it).includes(wanted));
  return found.length === 1 ? found[0] : undefined;
}

/** Whether two names may stand for one class: they share an identifier or a synonym. */
export function sameClass(one: string, other: string): boolean {
  const known = new Set(synonyms(one));
  return one === other || synonyms(other).some((synonym) => known.has(synonym));
}

function synonyms(className: string): string[] {
  const [, identifier = "", words = ""] = /^(n\d{8}\b)?(.*)$/.exec(className) ?? [];
  return [identifier, words, ...words.split(",")].map(plain).filter((part) => part !== "");
}

function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[\s_-]+/g, " ")
    .trim();
}

/** The names with commas between them, cut short if they are many. */
export function abridged(names: readonly string[]): string {
  return names.length <= 12 ? names.join(", ") : `${names.slice(0, 10).join(", ")}, …`;
}

const Name = z.union([z.string(), z.array(z.string()).transform((parts) => parts.join(" "))]);
const Index = z.coerce.number().int().nonnegative();

/** The shapes of JSON that list classes: [name], {index: name}, {name: index}, {id2label: …}. */
const ClassList = z.union([
  z.array(Name),
  z.object({ id2label: z.record(Index, Name) }).transform(({ id2label }) => inOrder(id2label)),
  z.record(Index, Name).transform(inOrder),
  z
    .record(z.string(), z.number().int().nonnegative())
    .transform((record) =>
      inOrder(Object.fromEntries(Object.entries(record).map(([name, index]) => [index, name]))),
    ),
]);

/** Names by index as an array; an index without a name leaves it empty, which is refused later. */
function inOrder(record: Record<number, string>): string[] {
  return Array.from({ length: Object.keys(record).length }, (_, index) => record[index] ?? "");
}

/**
 * Class names in label order: a text file with one on each line (`labels.txt`, `synset.txt`), or JSON
 * as an array, {index: name}, {name: index}, or a Hugging Face `config.json` with `id2label`.
 * Errors: `DATA_NOT_FOUND`; `DATA_INVALID` if the file is neither, or misses or repeats an index or name.
 */
export async function readClassNames(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readBytes(path)).replace(/^\uFEFF/, "");
  const names = path.endsWith(".json") ? parseJsonNames(text) : text.trimEnd().split(/\r?\n/);
  const trimmed = names?.map((name) => name.trim());
  if (trimmed && !trimmed.includes("") && new Set(trimmed).size === trimmed.length) return trimmed;
  throw new AntidoteError("DATA_INVALID", `"${path}" is not a list of class names.`, {
    place: path,
    next: "Give a text file with one class name on each line in label order, or JSON: an array, {index: name} or {name: index} with indices from 0, each index and name once.",
  });
}

function parseJsonNames(text: string): string[] | undefined {
  try {
    return ClassList.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
