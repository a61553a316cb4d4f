import { join } from "node:path";
import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { readBeside } from "./model-folder.ts";

/**
 * A file beside a model as JSON of this form; undefined if there is none.
 * @param folder of the model
 * @throws `DATA_INVALID` for a file that is damaged or too large, `EXTERNAL_DATA_OUTSIDE` for a link out of the folder
 */
export async function readJsonBeside<Schema extends z.ZodType>(
  folder: string,
  name: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const text = await readBeside(folder, name);
  if (text === undefined) return undefined;
  const damaged = (what: string, cause?: unknown) =>
    new AntidoteError("DATA_INVALID", `"${name}" of the model's folder ${what}`, {
      place: join(folder, name),
      next: "Correct or remove it, or give the path of the model itself: nothing beside it is read then.",
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
  const first = new z.ZodError(result.error.issues.slice(0, 3));
  throw damaged(`holds something unexpected.\n${z.prettifyError(first)}`);
}
