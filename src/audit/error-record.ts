import { z } from "zod";
import { type AntidoteError, ERROR_CODES } from "../core/errors.ts";
import { type Frozen, text } from "./record-parts.ts";

/** Raised whenever a field of the error's document is added, removed or changes its meaning. */
export const ERROR_SCHEMA_VERSION = 1;

/** The document that any command prints with `--json` when it fails. */
export const errorRecord = z.strictObject({
  schemaVersion: z.literal(ERROR_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("error").describe("Kind of this document."),
  error: z.strictObject({
    code: z.enum(ERROR_CODES).describe("What went wrong, for programs."),
    message: text.describe("What went wrong, for people."),
    place: text.nullable().describe("The file, node, option or image at fault; null if none is."),
    next: text.nullable().describe("What to do about it; null if there is no advice."),
  }),
});

export type ErrorRecord = Frozen<z.infer<typeof errorRecord>>;

export function errorDocument({ code, message, place, next }: AntidoteError): ErrorRecord {
  return {
    schemaVersion: ERROR_SCHEMA_VERSION,
    document: "error",
    error: { code, message, place: place ?? null, next: next ?? null },
  };
}
