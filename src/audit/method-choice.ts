import type { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Method } from "../core/method.ts";
import { nearest } from "../core/nearest.ts";
import type { Configured } from "./options.ts";
import { problemsIn, problemText } from "./problems.ts";

/** A method by its name, with those of its options that differ from their defaults. */
export type MethodChoice<Name extends string> = { readonly name: Name } & Readonly<
  Record<string, unknown>
>;

/**
 * The method that a choice names, with its options checked and complete.
 * @param kind what it is, e.g. "repair"
 * @throws `UNKNOWN_METHOD` with the nearest name, `INVALID_CONFIG`
 */
export function chooseMethod<M extends AnyMethod>(
  kind: string,
  methods: Readonly<Record<string, M>>,
  { name, ...options }: MethodChoice<string>,
): Configured<M> {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (!method) {
    const names = Object.keys(methods);
    const similar = nearest(name, names);
    throw new AntidoteError("UNKNOWN_METHOD", `There is no ${kind} called "${name}".`, {
      place: kind,
      next: similar ? `Did you mean ${similar}?` : `Choose one of ${names.join(", ")}.`,
    });
  }
  const help = `\`antidote methods ${name}\` lists its options.`;
  const config = parseOptions(`${kind} ${name}`, method.config, options, help);
  return { method, config: config as Configured<M>["config"] };
}

/** Any method, as far as its options go. */
type AnyMethod = Pick<Method<never, never, unknown, z.ZodType>, "config">;

/** Options with their defaults; says in one error what is wrong with all of them. */
export function parseOptions<Schema extends z.ZodType>(
  place: string,
  schema: Schema,
  options: Readonly<Record<string, unknown>>,
  help = "The documentation lists the options.",
): z.output<Schema> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const { message, next } = problemText(problemsIn(schema, result.error), help);
  throw new AntidoteError("INVALID_CONFIG", message, { place, next });
}
