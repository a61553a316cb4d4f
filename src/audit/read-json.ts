import { join } from "node:path";
import type { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { readBeside } from "./model-folder.ts";

const CORRECT =
  "Correct or remove it, or give the path of the model itself: nothing beside it is read then.";

/** Problems of a file's form that a message names. */
const MAX_PROBLEMS = 3;

/**
 * A file beside a model as JSON of this form; undefined if there is none.
 * @param folder of the model
 * @param next what to do about a file that is damaged
 * @throws `DATA_INVALID` for a file that is damaged or too large, `EXTERNAL_DATA_OUTSIDE` for a link out of the folder
 */
export async function readJsonBeside<Schema extends z.ZodType>(
  folder: string,
  name: string,
  schema: Schema,
  next = CORRECT,
): Promise<z.output<Schema> | undefined> {
  const text = await readBeside(folder, name);
  if (text === undefined) return undefined;
  const damaged = (what: string, cause?: unknown) =>
    new AntidoteError("DATA_INVALID", `"${name}" of the model's folder ${what}`, {
      place: join(folder, name),
      next,
      cause,
    });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw damaged(`is not JSON: ${cause instanceof Error ? cause.message : cause}.`, cause);
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  throw damaged(`holds something unexpected: ${problemsIn(result.error)}.`);
}

function problemsIn({ issues }: z.ZodError): string {
  return issues
    .slice(0, MAX_PROBLEMS)
    .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message))
    .join("; ");
}
