import { z } from "zod";
import { nearest } from "../core/nearest.ts";

/** Something that a schema refuses. */
export interface Problem {
  /** Where in the value, outermost key first. */
  readonly path: readonly PropertyKey[];
  /** A sentence. */
  readonly message: string;
  /** The key that was probably meant in place of one that does not exist. */
  readonly similar?: string | undefined;
}

type Issue = z.core.$ZodIssue;
type JsonSchema = z.core.JSONSchema.BaseSchema;

/** What is wrong with a value, each with the key that was probably meant. */
export function problemsIn(schema: z.ZodType, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => problemsOf(schema, issue, []));
}

/** Problems as one text, and what to do about them. */
export function problemText(
  problems: readonly Problem[],
  otherwise: string,
): { readonly message: string; readonly next: string } {
  const similar = problems.flatMap((problem) => problem.similar ?? []);
  return {
    message: problems.map(({ message }) => message).join(" "),
    next: similar.length > 0 ? `Did you mean ${similar.join(" and ")}?` : otherwise,
  };
}

function problemsOf(schema: z.ZodType, issue: Issue, outer: readonly PropertyKey[]): Problem[] {
  const path = [...outer, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => {
      const place = { path: [...path, key], message: `"${written([...path, key])}" is unknown.` };
      // Known, of another form of the same thing.
      return known.includes(key)
        ? { ...place, message: `"${written([...path, key])}" does not go with what is beside it.` }
        : { ...place, similar: nearest(key, known) };
    });
  }
  if (issue.code === "invalid_union") {
    // Of several forms, the one that was meant fits from the outside, and knows most of the keys.
    const unknown = (branch: readonly Issue[]) =>
      branch.flatMap((inner) => (inner.code === "unrecognized_keys" ? inner.keys : [])).length;
    const [meant] = issue.errors
      .filter((branch) => branch.every((inner) => fits(inner)))
      .toSorted((one, other) => unknown(one) - unknown(other));
    if (meant && meant.length > 0) return meant.flatMap((inner) => problemsOf(schema, inner, path));
  }
  const reason = issue.message.replace(/^Invalid input: /, "").replace(/\.$/, "");
  const text = `${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  const place = path.length === 0 ? "The whole" : `"${written(path)}"`;
  return [{ path, message: `${place} is wrong: ${text}.` }];
}

function fits({ path, code }: Issue): boolean {
  return path.length > 0 || code === "unrecognized_keys";
}

/** "attacks[0].poisoned" */
function written(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

/** Keys that the schema knows at a place. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = [z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema];
  for (const part of path) {
    at = at.flatMap(alternatives).flatMap(({ properties, items }) => {
      const inner = typeof part === "number" ? items : properties?.[String(part)];
      return typeof inner === "object" && !Array.isArray(inner) ? [inner] : [];
    });
  }
  return at.flatMap(alternatives).flatMap(({ properties }) => Object.keys(properties ?? {}));
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  const union = schema.anyOf ?? schema.oneOf;
  if (!union) return [schema];
  return union.flatMap((part) => (typeof part === "object" ? alternatives(part) : []));
}
