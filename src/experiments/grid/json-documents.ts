import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { z } from "zod";
import { AntidoteError } from "../../core/errors.ts";

/** Names of the JSON documents of a folder without their ending, ascending; none if it is not there. */
export async function documentsIn(folder: string): Promise<string[]> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  const documents = names.filter((name) => name.endsWith(".json"));
  return documents.map((name) => name.slice(0, -".json".length)).sort();
}

/** How a document of a store is called where something is wrong with it. */
interface Complaints {
  /** A sentence: that it is not there. */
  readonly missing: string;
  /** A sentence: that it is damaged. */
  readonly damaged: string;
  /** What to do in each of the two cases. */
  readonly find: string;
  readonly mend: string;
}

/** Reads a document of a store. Throws `DATA_NOT_FOUND` where there is none, `DATA_INVALID` if it cannot be read. */
export async function readDocument<Schema extends z.ZodType>(
  place: string,
  schema: Schema,
  { missing, damaged, find, mend }: Complaints,
): Promise<z.output<Schema>> {
  let text: string;
  try {
    text = await readFile(place, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") {
      throw new AntidoteError("DATA_NOT_FOUND", missing, { place, next: find, cause });
    }
    const message = `${damaged} The system says ${code}.`;
    throw new AntidoteError("DATA_INVALID", message, { place, next: mend, cause });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${damaged} ${reasonOf(cause)}`.trim();
    throw new AntidoteError("DATA_INVALID", message, { place, next: mend, cause });
  }
}

/** What is wrong with a document: its first problem and where it is, or that it is no JSON. */
function reasonOf(cause: unknown): string {
  if (cause instanceof SyntaxError) return "It is no JSON.";
  if (!(cause instanceof z.ZodError)) return "";
  const [problem] = cause.issues;
  return problem ? `At ${problem.path.join(".") || "its top"}: ${problem.message}.` : "";
}
