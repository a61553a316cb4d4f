import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { z } from "zod";
import { AntidoteError } from "../../core/errors.ts";

/** Names of the JSON documents of a folder without their ending, ascending; none if it is not there. */
export async function documentsIn(folder: string): Promise<string[]> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  const documents = names.filter((name) => name.endsWith(".json"));
  return documents.map((name) => name.slice(0, -".json".length)).sort();
}

/** A document of a store. Throws `DATA_INVALID`. */
export function parsed<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  place: string,
  wrong: string,
  next: string,
): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${wrong} ${reasonOf(cause)}`.trim();
    throw new AntidoteError("DATA_INVALID", message, { place, next, cause });
  }
}

/** What is wrong with a document: its first problem and where it is, or that it is no JSON. */
function reasonOf(cause: unknown): string {
  if (cause instanceof SyntaxError) return "It is no JSON.";
  if (!(cause instanceof z.ZodError)) return "";
  const [problem] = cause.issues;
  return problem ? `At ${problem.path.join(".") || "its top"}: ${problem.message}.` : "";
}
