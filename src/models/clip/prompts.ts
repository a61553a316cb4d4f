import { AntidoteError } from "../../core/errors.ts";
import { readText } from "../../data/files.ts";

/** What stands for the class in a template. */
const PLACE = "{}";

/** More templates than anybody has published; bounds what a file may ask for. */
const MAX_TEMPLATES = 1000;
const MAX_BYTES = 2 ** 20;

/**
 * Sentences that a caption of a photograph may be, in the manner of Radford et al. (2021, section 3.1.4): several for
 * each class, whose embeddings are averaged, do better than the bare name.
 */
export const PROMPTS: readonly string[] = [
  "a photo of a {}.",
  "a photo of the {}.",
  "a photo of one {}.",
  "a close-up photo of a {}.",
  "a cropped photo of a {}.",
  "a bright photo of a {}.",
  "a dark photo of a {}.",
  "a blurry photo of a {}.",
  "a black and white photo of a {}.",
  "a photo of a small {}.",
  "a photo of a large {}.",
  "a drawing of a {}.",
];

/**
 * The templates of a file, one on each line, in which `{}` stands for the class.
 * @throws `DATA_NOT_FOUND`, `DATA_INVALID`
 */
export async function readPrompts(path: string): Promise<string[]> {
  const text = await readText(path, MAX_BYTES);
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const templates = lines.filter((line) => line !== "");
  const wrong = lines.findIndex((line) => line !== "" && !line.includes(PLACE));
  const problem =
    templates.length === 0
      ? "holds no template"
      : templates.length > MAX_TEMPLATES
        ? `holds ${templates.length} templates; ${MAX_TEMPLATES} are used at most`
        : wrong >= 0
          ? `has no ${PLACE} in line ${wrong + 1}`
          : undefined;
  if (problem === undefined) return templates;
  throw new AntidoteError("DATA_INVALID", `"${path}" ${problem}.`, {
    place: path,
    next: `Give a text file with one template on each line, such as "a photo of a ${PLACE}.".`,
  });
}

/** A class in all templates. */
export function promptsFor(className: string, templates: readonly string[]): string[] {
  const words = wordsOf(className);
  // A function, as "$" would mean something in a text.
  return templates.map((template) => template.replaceAll(PLACE, () => words));
}

/**
 * The words of a class name: without ImageNet's identifier in front, the first of several synonyms, with spaces for
 * underscores. "n01440764 tench, Tinca tinca" → "tench"
 */
export function wordsOf(className: string): string {
  const named = className.replace(/^n\d{8}[\s_-]+/, "");
  const [first = named] = named.split(",");
  return first.replaceAll("_", " ").trim() || className;
}

/** A number in front of words: "0_airplane", "07. cat"; not "747-400". */
const NUMBERED = /^(\d+)[\s._:-]+(.*\p{L}.*)$/u;

/** Class names without their numbers in front, if these count the classes: "0_airplane", "1_cat" → "airplane", "cat" */
export function withoutIndices(classNames: readonly string[]): readonly string[] {
  const parts = classNames.map((name) => NUMBERED.exec(name));
  const first = Number(parts[0]?.[1]);
  const words = parts.flatMap((part, at) =>
    part && Number(part[1]) === first + at ? part[2]! : [],
  );
  return words.length === classNames.length ? words : classNames;
}

/** Class names that say nothing to who reads texts: numbers, and ImageNet's identifiers. */
export function isNameless(className: string): boolean {
  return /^(n\d{8}|(class\s*)?\d+)$/i.test(wordsOf(className));
}
