import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { readBytes } from "./files.ts";

/** Which class each folder of images, or each label of a table, stands for. */
export interface ClassAssignment {
  /** The class of the i-th folder or label is labels[i]. */
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

/** What classes are told by, as messages call it, and what to do where it does not tell them. */
export interface Teller {
  readonly one: string;
  readonly many: string;
  /** How an index stands in it: alone (`7`), or in front of a name (`0_airplane`) as well. */
  readonly index: RegExp;
  /** The rule by indices, in words. */
  readonly indexRule: string;
  readonly next: string;
}

const FOLDERS: Teller = {
  one: "folder",
  many: "class folders",
  index: /^(\d+)(?:[\s._-]+(.*))?$/,
  indexRule: "index in front of the folder names",
  next: "Begin every folder name with its class index (0_airplane), or give the class names in label order with --classes.",
};

/** Labels in a table: a number is an index, but "747-400" is an aeroplane. */
export const LABELS: Teller = {
  one: "label",
  many: "labels",
  index: /^(\d+)$/,
  indexRule: "indices as labels",
  next: "Give the class names in label order with --classes, or class indices from 0 as labels.",
};

/**
 * Decides the class of every folder. The first rule that applies wins: (a) the `--classes` file; (b) the model's
 * own class names, if every folder bears one; (c) an index in front of every folder name (`0_airplane`,
 * `03-cat`, `7`); (d) alphabetical order, for which no class may be missing. Indices may stand for the
 * names of (a), too, alone or with just these behind them.
 * @param place that messages name
 * @param teller what `folders` are, if they are something else
 * Errors: `CLASSES_MISMATCH` if a folder is no class, two folders are the same class or, by (d), the
 * numbers differ.
 */
export async function assignClasses(
  folders: readonly string[],
  rules: ClassRules,
  place: string,
  teller: Teller = FOLDERS,
): Promise<ClassAssignment> {
  const about = { folders, place, teller };
  const indices = folders.map((folder) => indexIn(folder, teller));
  const own = rules.classNames;
  if (rules.classes !== undefined) {
    const names = await readClassNames(rules.classes);
    checkClassCount(names.length, rules.classCount, rules.classes);
    const find = bearersIn(names);
    const asIndices = indices.filter(isIndex);
    if (asIndices.length < folders.length || folders.some((folder) => find(folder).length > 0)) {
      return byName(about, names, "names listed in", rules.classes);
    }
    refuseOtherNames(about, asIndices, names, rules.classes);
    const bare = asIndices.map(({ index }) => ({ index }));
    return byIndex(about, bare, { classNames: names }, `indices in ${rules.classes}`);
  }
  const findOwn = own && bearersIn(own);
  if (own && findOwn && folders.every((folder) => findOwn(folder).length === 1)) {
    return byName(about, own, "class names in", rules.classNamesFrom ?? "the model");
  }
  if (indices.every(isIndex)) return byIndex(about, indices, rules, teller.indexRule);
  return alphabetically(about, rules.classCount ?? own?.length);
}

/** More classes than any data set has; bounds what an index without a model may ask for. */
export const MAX_CLASSES = 100_000;

/** A class index, and the name that is written behind it. */
interface Indexed {
  readonly index: number;
  readonly name?: string | undefined;
}

function indexIn(folder: string, teller: Teller): Indexed | null {
  const found = teller.index.exec(folder);
  return found && { index: Number(found[1]), name: found[2] };
}

const isIndex = (found: Indexed | null): found is Indexed => found !== null;

interface About {
  readonly folders: readonly string[];
  readonly place: string;
  readonly teller: Teller;
}

/** @param source of the names */
function byName(
  about: About,
  names: readonly string[],
  rule: string,
  source: string,
): ClassAssignment {
  const find = bearersIn(names);
  const labels = about.folders.map((folder) => {
    const [label, ...others] = find(folder);
    if (label !== undefined && others.length === 0) return label;
    if (label !== undefined) throw ambiguous(folder, [label, ...others], about, source);
    const suggestion = nearest(folder, names);
    const hint = suggestion === undefined ? "" : ` The nearest is "${suggestion}".`;
    throw mismatch(
      `The ${about.teller.one} "${folder}" is none of the ${names.length} classes.${hint}`,
      about.place,
      about.teller,
    );
  });
  refuseRepeats(about, labels);
  return { labels, classNames: names, rule: `${rule} ${source}` };
}

function ambiguous(
  folder: string,
  classes: readonly number[],
  { place, teller }: About,
  source: string,
): AntidoteError {
  return new AntidoteError(
    "CLASSES_MISMATCH",
    `The ${teller.one} "${folder}" may be any of ${classes.length} classes: ${positionsIn(source, classes)} of ${source}.`,
    {
      place,
      next: `Give each of these classes a name of its own, or call every ${teller.one} by its class index alone.`,
    },
  );
}

/** Where classes stand in a list of names: "lines 135 and 518", or "classes 134 and 517" where lines mean nothing. */
export function positionsIn(list: string, classes: readonly number[]): string {
  const [word, first] = list.endsWith(".json")
    ? (["classes", 0] as const)
    : (["lines", 1] as const);
  return `${word} ${classes.map((index) => index + first).join(" and ")}`;
}

function byIndex(
  about: About,
  indices: readonly Indexed[],
  rules: ClassRules,
  rule: string,
): ClassAssignment {
  const labels = indices.map(({ index }) => index);
  const largest = labels.reduce((max, label) => Math.max(max, label), 0);
  const total = rules.classCount ?? rules.classNames?.length ?? Math.min(largest + 1, MAX_CLASSES);
  if (largest >= total) {
    const folder = about.folders[labels.indexOf(largest)];
    throw mismatch(
      `The ${about.teller.one} "${folder}" has index ${largest}, but the model has classes 0 to ${total - 1}.`,
      about.place,
      about.teller,
    );
  }
  refuseRepeats(about, labels);
  const classNames = Array.from(
    { length: total },
    (_, label) => rules.classNames?.[label] ?? `class ${label}`,
  );
  labels.forEach((label, i) => {
    const written = indices[i]!.name;
    if (written) classNames[label] = written;
  });
  return { labels, classNames, rule };
}

/** What is written behind an index has to be the name that the list has there. */
function refuseOtherNames(
  { folders, place, teller }: About,
  indices: readonly Indexed[],
  names: readonly string[],
  source: string,
): void {
  const at = indices.findIndex(
    ({ index, name }) => name && names[index] !== undefined && !sameClass(name, names[index]),
  );
  if (at < 0) return;
  const { index } = indices[at]!;
  throw mismatch(
    `The ${teller.one} "${folders[at]}" says class ${index}, which is "${names[index]}" in ${source}.`,
    place,
    { ...teller, next: "Correct the name or the list." },
  );
}

function alphabetically(
  { folders, place, teller }: About,
  classCount: number | undefined,
): ClassAssignment {
  if (classCount !== undefined && folders.length !== classCount) {
    throw mismatch(
      `There are ${folders.length} ${teller.many} (${abridged(folders)}), but the model has ${classCount} classes.`,
      place,
      teller,
    );
  }
  const classNames = [...folders].sort();
  const order = new Map(classNames.map((name, index) => [name, index]));
  const labels = folders.map((folder) => order.get(folder)!);
  return { labels, classNames, rule: `alphabetical order of the ${teller.one} names` };
}

/** Throws `CLASSES_MISMATCH` unless the images' classes are as many as the model's. */
export function checkClassCount(found: number, wanted: number | undefined, place: string): void {
  if (wanted !== undefined && found !== wanted) {
    throw mismatch(`"${place}" has ${found} classes, but the model has ${wanted}.`, place);
  }
}

function mismatch(message: string, place: string, { next }: Teller = FOLDERS): AntidoteError {
  return new AntidoteError("CLASSES_MISMATCH", message, { place, next });
}

function refuseRepeats({ folders, place, teller }: About, labels: readonly number[]): void {
  const seen = new Map<number, string>();
  labels.forEach((label, i) => {
    const first = seen.get(label);
    if (first !== undefined) {
      throw mismatch(
        `The ${teller.one}s "${first}" and "${folders[i]}" are both class ${label}.`,
        place,
        teller,
      );
    }
    seen.set(label, folders[i]!);
  });
}

/**
 * Finds where a name stands among `names`, case and separators ignored; several places where classes share it.
 * ImageNet's lists name one class `n01440764 tench, Tinca tinca`: the identifier or any one of the synonyms is
 * enough. An exact match goes before a synonym (two ImageNet classes share the synonym "crane").
 */
export function bearersIn(names: readonly string[]): (name: string) => number[] {
  const exact = places(names.map((name) => [plain(name)]));
  const bySynonym = places(names.map(synonyms));
  return (name) => {
    const wanted = plain(name);
    return [...(exact.get(wanted) ?? bySynonym.get(wanted) ?? [])];
  };
}

/** The names that several classes bear, with these classes. */
export function sharedNames(names: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const bearers = places(names.map((name) => [name]));
  const shared = [...bearers].filter(([, classes]) => classes.size > 1);
  return new Map(shared.map(([name, classes]) => [name, [...classes]]));
}

/** For every word, which of the lists hold it. */
function places(lists: readonly (readonly string[])[]): Map<string, Set<number>> {
  const all = new Map<string, Set<number>>();
  for (const [index, words] of lists.entries()) {
    for (const word of words) {
      const known = all.get(word);
      if (known) known.add(index);
      else all.set(word, new Set([index]));
    }
  }
  return all;
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
  // macOS writes accents as characters of their own.
  return name
    .normalize("NFC")
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
  z.object({ id2label: z.record(Index, Name) }).transform(({ id2label }) => byIndices(id2label)),
  z.record(Index, Name).transform(byIndices),
  z
    .record(z.string(), z.number().int().nonnegative())
    .transform((record) => inOrder(Object.entries(record).map(([name, index]) => [index, name]))),
]);

function byIndices(record: Record<number, string>): string[] {
  return inOrder(Object.entries(record).map(([index, name]) => [Number(index), name]));
}

/** Names by index as an array; an index without a name leaves it empty, which is refused later. */
function inOrder(entries: readonly (readonly [number, string])[]): string[] {
  const byIndex = new Map(entries);
  return Array.from(entries, (_, index) => byIndex.get(index) ?? "");
}

/**
 * Class names in label order: a text file with one on each line (`labels.txt`, `synset.txt`), or JSON
 * as an array, {index: name}, {name: index}, or a Hugging Face `config.json` with `id2label`. Several classes may bear
 * one name, as in ImageNet's usual list: `sharedNames`.
 * Errors: `DATA_NOT_FOUND`; `DATA_INVALID` if the file is neither, or misses an index or name.
 */
export async function readClassNames(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readBytes(path)).replace(/^\uFEFF/, "");
  const names = path.endsWith(".json") ? parseJsonNames(text) : text.trimEnd().split(/\r?\n/);
  const trimmed = names?.map((name) => name.trim());
  const nameless = trimmed?.indexOf("");
  if (trimmed && nameless === -1) return trimmed;
  const where = nameless === undefined ? "" : `: ${noName(path, nameless)}`;
  throw new AntidoteError("DATA_INVALID", `"${path}" is not a list of class names${where}.`, {
    place: path,
    next: "Give a text file with one class name on each line in label order, or JSON: an array, {index: name} or {name: index} with indices from 0, each index once.",
  });
}

function noName(path: string, index: number): string {
  return path.endsWith(".json") ? `class ${index} has no name` : `line ${index + 1} is empty`;
}

function parseJsonNames(text: string): string[] | undefined {
  try {
    return ClassList.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
