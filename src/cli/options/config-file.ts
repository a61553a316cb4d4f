import { readFile } from "node:fs/promises";
import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { AntidoteError } from "../../core/errors.ts";

/** A value in a configuration file. */
export interface Entry {
  /** Keys as written, outermost first: one, or two below a method's slot. */
  readonly keys: readonly [string] | readonly [string, string];
  readonly value: unknown;
  /** "FILE:LINE" */
  readonly place: string;
}

/**
 * Reads a YAML or JSON file of options (JSON is YAML as well): keys with values, or with maps of values.
 * @throws `INVALID_CONFIG`
 */
export async function readConfigFile(path: string): Promise<Entry[]> {
  const lines = new LineCounter();
  const document = parseDocument(await readText(path), { lineCounter: lines });
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`;

  const [error] = document.errors;
  if (error) {
    const [reason] = error.message.split(" at line");
    throw invalid(`The file is not valid YAML or JSON: ${reason}.`, at(error.pos[0]));
  }
  const root = document.contents;
  if (root === null) return [];
  if (!isMap(root)) throw invalid("The file must hold option names with their values.", path);

  const plain = (node: unknown, place: string): unknown => {
    try {
      return (node as Node | null)?.toJS(document) ?? null;
    } catch (cause) {
      throw invalid(`The file cannot be read: ${(cause as Error).message}.`, place, cause);
    }
  };
  const pairs = (map: typeof root) =>
    map.items.map(({ key, value }) => {
      if (!isScalar(key) || typeof key.value !== "string") {
        throw invalid("An option's name must be a text.", path);
      }
      return { key: key.value, value, place: at(key.range?.[0] ?? 0) };
    });
  return pairs(root).flatMap(({ key, value, place }): Entry[] => {
    if (!isMap(value)) return [{ keys: [key], value: plain(value, place), place }];
    return pairs(value as typeof root).map((inner) => ({
      keys: [key, inner.key],
      value: plain(inner.value, inner.place),
      place: inner.place,
    }));
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw invalid(missing ? "There is no such file." : "The file cannot be read.", path, cause);
  }
}

function invalid(message: string, place: string, cause?: unknown): AntidoteError {
  return new AntidoteError("INVALID_CONFIG", message, {
    place,
    next: "Give a YAML or JSON file such as: {seed: 1, repair: {name: NAME, steps: 300}}.",
    cause,
  });
}
