import { extname } from "node:path";
import { AntidoteError } from "../core/errors.ts";
import {
  bearersIn,
  type ClassRules,
  checkClassCount,
  MAX_CLASSES,
  readClassNames,
} from "./classes.ts";

/** What the names of image files say about their classes. */
export interface NamedClasses {
  /** Class of every file. */
  readonly labels: readonly number[];
  readonly classNames: readonly string[];
  /** The rule that decided, in words for the user. */
  readonly rule: string;
}

/** What stands in a file name. */
interface Parts {
  readonly name: string;
  /** The name without its ending. */
  readonly stem: string;
  /** Number in front, with its separator behind. */
  readonly number: number | undefined;
  /** ImageNet's identifier of a class, if there is just one. */
  readonly synset: string | undefined;
  /** What is left without numbers in front and at the end. */
  readonly text: string;
}

/** Classes by one rule. */
interface Applying {
  readonly rule: string;
  readonly labels: readonly number[];
  readonly names: readonly string[];
  /** Whether other rules need not be asked, or must agree, or at least one of them must apply as well. */
  readonly trust: "certain" | "if none objects" | "if another agrees";
}

/** Classes by one rule, or why it does not apply. */
type Reading = Applying | { readonly rule: string; readonly why: string };

/**
 * Reads classes out of the names of files that lie in one folder (`n01440764_tench.JPEG`, `0003_cat.png`,
 * `cat_0003.png`). Names may be read in several ways, so one counts only if it is certain: every file bears just one
 * known class name (from `--classes` or the model) or ImageNet identifier of one; or else all ways that apply agree, and
 * with the names that are known: a number in front as an index, identifiers in their order, names in the alphabet.
 * A number in front that several files of one class share cannot count images: it needs no second way.
 * @throws `DATA_INVALID` if no way is certain, with all that were tried; the errors of `readClassNames`
 */
export async function classesInNames(
  files: readonly string[],
  { classes, classNames: own, classNamesFrom = "the model", classCount }: ClassRules,
  place: string,
): Promise<NamedClasses> {
  const names = classes === undefined ? own : await readClassNames(classes);
  if (classes !== undefined) checkClassCount(names!.length, classCount, classes);
  const parts = files.map(partsOf);
  const possible = names ? possibleLabels(parts, names) : undefined;
  const known = possible?.map((labels) => (labels.length === 1 ? labels[0] : undefined));
  const total = classCount ?? names?.length;
  const readings: Reading[] = [];
  if (names && known) {
    const rule = `class names in ${classes ?? classNamesFrom}, found in the file names`;
    const missing = known.indexOf(undefined);
    if (missing < 0) return { labels: known as number[], classNames: names, rule };
    readings.push({ rule, why: `"${files[missing]}" bears none, or several` });
  }
  readings.push(byNumber(parts, total), bySynset(parts, total), byText(parts, total));
  const fitting = readings.filter(
    (it): it is Applying =>
      "labels" in it && it.labels.every((label, i) => mayBe(label, possible?.[i])),
  );
  const mostAreKnown = (known ?? []).filter((it) => it !== undefined).length > files.length / 2;
  const chosen = fitting.find((it) => isSettled(it, fitting, mostAreKnown));
  if (!chosen) throw uncertain(place, readings, fitting);
  return { labels: chosen.labels, classNames: names ?? chosen.names, rule: chosen.rule };
}

function isSettled(
  { trust, labels }: Applying,
  fitting: readonly Applying[],
  mostAreKnown: boolean,
): boolean {
  if (trust === "certain") return true;
  const agree = fitting.every((other) => other.labels.every((label, i) => label === labels[i]));
  return agree && (trust === "if none objects" || fitting.length > 1 || mostAreKnown);
}

function partsOf(name: string): Parts {
  const stem = name.slice(0, name.length - extname(name).length);
  const number = /^(\d+)[\s._-]+/.exec(stem);
  const synsets = new Set(stem.match(/(?<![a-z0-9])n\d{8}(?!\d)/gi)?.map((it) => it.toLowerCase()));
  const text = stem
    .slice(number?.[0].length ?? 0)
    .replace(/[\s._-]+\(?\d+\)?$/, "")
    .trim();
  return {
    name,
    stem,
    number: number ? Number(number[1]) : undefined,
    synset: synsets.size === 1 ? [...synsets][0] : undefined,
    text: /\p{L}/u.test(text) ? text : "",
  };
}

/** Whether a file may be of this class by the names in it; none say nothing. */
function mayBe(label: number, possible: readonly number[] = []): boolean {
  return possible.length === 0 || possible.includes(label);
}

/** The classes that every file's name may mean: several where these share the name, none for no known name or several. */
function possibleLabels(parts: readonly Parts[], names: readonly string[]): readonly number[][] {
  const find = bearersIn(names);
  return parts.map(({ stem, text, synset = "" }) => {
    const words = [synset, text, stem, ...text.split(new RegExp(`^${synset}[\\s._-]+`, "i"))];
    const found = words.map(find);
    const certain = new Set(found.filter((labels) => labels.length === 1).flat());
    if (certain.size === 1) return [...certain];
    return certain.size === 0 ? [...new Set(found.flat())] : [];
  });
}

/** The number in front as the index of a class: each always stands with the same name. */
function byNumber(parts: readonly Parts[], total: number | undefined): Reading {
  const rule = "index in front of the file names";
  const without = parts.find(({ number, text }) => number === undefined || text === "");
  if (without) {
    return { rule, why: `"${without.name}" has no number in front of a name` };
  }
  const labels = parts.map(({ number }) => number!);
  const largest = labels.reduce((max, label) => Math.max(max, label), 0);
  const last = (total ?? MAX_CLASSES) - 1;
  if (largest > last) return { rule, why: `${largest} is more than the last class, ${last}` };
  const words = parts.map(({ synset, text }) => synset ?? text);
  const [one, other] = [partners(labels, words), partners(words, labels)];
  if (!one || !other) {
    return { rule, why: "one number stands with several names, or one name with several numbers" };
  }
  const first = new Map(parts.toReversed().map((part) => [part.number!, nameIn(part)]));
  const names = Array.from({ length: total ?? largest + 1 }, (_, label) => {
    return first.get(label) ?? `class ${label}`;
  });
  const isShared = one.size > 1 && one.size < parts.length;
  return { rule, labels, names, trust: isShared ? "certain" : "if another agrees" };
}

/** What a class is called by the name of one of its files: "n01440764 tench". */
function nameIn({ synset, text }: Parts): string {
  return synset === undefined ? text : text.replace(/^(n\d{8})[\s._-]+/i, "$1 ");
}

/** Identifiers in ascending order, as ImageNet's classes are; for that none may be missing. */
function bySynset(parts: readonly Parts[], total: number | undefined): Reading {
  const rule = "order of the ImageNet identifiers in the file names";
  const without = parts.find(({ synset }) => synset === undefined);
  if (without) return { rule, why: `"${without.name}" bears none, or several` };
  return inOrder(parts, ({ synset }) => synset!, total, rule);
}

/** Names in the alphabet, as class folders are; for that none may be missing. */
function byText(parts: readonly Parts[], total: number | undefined): Reading {
  const rule = "alphabetical order of the names in the file names";
  if (parts.every(({ synset }) => synset !== undefined)) {
    return { rule, why: "identifiers stand in their place" };
  }
  const without = parts.find(({ text }) => text === "");
  if (without) return { rule, why: `"${without.name}" holds none` };
  return inOrder(parts, ({ text }) => text, total, rule);
}

function inOrder(
  parts: readonly Parts[],
  key: (part: Parts) => string,
  total: number | undefined,
  rule: string,
): Reading {
  const first = new Map(parts.toReversed().map((part) => [key(part), nameIn(part)]));
  const keys = [...first.keys()].sort();
  if (total !== undefined && keys.length !== total) {
    return { rule, why: `there are ${keys.length}, but the model has ${total} classes` };
  }
  if (total === undefined && 2 * keys.length > parts.length) {
    return { rule, why: "most stand in one file only" };
  }
  const order = new Map(keys.map((it, index) => [it, index]));
  const labels = parts.map((part) => order.get(key(part))!);
  return { rule, labels, names: keys.map((it) => first.get(it)!), trust: "if none objects" };
}

/** What each item of a list stands with in another one; undefined if one stands with several. */
function partners<A, B>(from: readonly A[], to: readonly B[]): Map<A, B> | undefined {
  const found = new Map<A, B>();
  for (const [i, item] of from.entries()) {
    if (found.has(item) && found.get(item) !== to[i]) return undefined;
    found.set(item, to[i]!);
  }
  return found;
}

function uncertain(
  place: string,
  readings: readonly Reading[],
  fitting: readonly Applying[],
): AntidoteError {
  const tried = readings.map((it) => {
    if ("why" in it) return `${it.rule}: ${it.why}`;
    if (!fitting.includes(it)) return `${it.rule}: contradicts names that are known`;
    return `${it.rule}: possible, but ${fitting.length > 1 ? "another way says otherwise" : "it may as well count the images"}`;
  });
  const what = fitting.length > 0 ? "are not certain to tell" : "do not tell";
  return new AntidoteError(
    "DATA_INVALID",
    `"${place}" holds images, but no class folders, and the file names ${what} their classes. Tried: ${tried.join("; ")}.`,
    {
      place,
      next: "Put the images of each class into a folder of its own, add labels.csv with the columns file_name and label, or name the classes in label order with --classes.",
    },
  );
}
