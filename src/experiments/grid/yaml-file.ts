import { readFile } from "node:fs/promises";
import { type Document, isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { AntidoteError } from "../../core/errors.ts";

/** What a YAML file holds, and where. */
export interface YamlFile {
  /** Its content, with keys in camelCase. */
  readonly value: unknown;
  /** "FILE:LINE" of a value, or of the innermost one above it that is there. */
  readonly placeOf: PlaceOf;
}

/** Where a value of a file stands. */
export type PlaceOf = (path: readonly PropertyKey[]) => string;

/**
 * Reads a YAML or JSON file, whose keys may be written in camelCase or kebab-case.
 * @throws `INVALID_CONFIG`, `DATA_NOT_FOUND`
 */
export async function readYamlFile(path: string): Promise<YamlFile> {
  const lines = new LineCounter();
  const document = parseDocument(await readText(path), { lineCounter: lines });
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`;
  const [error] = document.errors;
  if (error) {
    const [reason] = error.message.split(" at line");
    throw new AntidoteError("INVALID_CONFIG", `The file is not valid YAML: ${reason}.`, {
      place: at(error.pos[0]),
      next: "Correct this line.",
      cause: error,
    });
  }
  return {
    value: camelled(content(document, path), path),
    placeOf(wanted) {
      let node: unknown = document.contents;
      let place = path;
      for (const part of wanted) {
        if (isMap(node)) {
          const pair = node.items.find(({ key }) => toCamel(String(key)) === part);
          if (!pair) break;
          place = at((pair.key as Node).range?.[0] ?? 0);
          node = pair.value;
        } else if (isSeq(node)) {
          node = node.items[Number(part)];
          const start = (node as Node | undefined)?.range?.[0];
          if (start !== undefined) place = at(start);
        } else break;
      }
      return place;
    },
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new AntidoteError(
      "INVALID_CONFIG",
      missing ? "There is no such file." : "The file cannot be read.",
      { place: path, next: "Give a YAML file that describes an experiment.", cause },
    );
  }
}

/** What a document holds, if every part that it repeats is there, and none holds itself. */
function content(document: Document, place: string): unknown {
  try {
    const value: unknown = document.toJS();
    JSON.stringify(value);
    return value;
  } catch (cause) {
    const [reason] = (cause as Error).message.split("\n");
    throw new AntidoteError("INVALID_CONFIG", `The file repeats parts of itself: ${reason}.`, {
      ...{ place, next: "Write them out in place of the aliases.", cause },
    });
  }
}

/** The same value with its keys in camelCase. Throws `INVALID_CONFIG` for a key that stands there in both forms. */
function camelled(value: unknown, place: string): unknown {
  if (Array.isArray(value)) return value.map((item) => camelled(item, place));
  if (typeof value !== "object" || value === null) return value;
  const result = new Map<string, unknown>();
  for (const [key, inner] of Object.entries(value)) {
    const name = toCamel(key);
    if (result.has(name)) {
      throw new AntidoteError("INVALID_CONFIG", `"${name}" is given twice.`, {
        place,
        next: "Remove one of the two lines.",
      });
    }
    result.set(name, camelled(inner, place));
  }
  return Object.fromEntries(result);
}

/** "learning-rate" → "learningRate" */
function toCamel(key: string): string {
  return key.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
