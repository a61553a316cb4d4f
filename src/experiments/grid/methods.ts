import type { z } from "zod";
import { chooseMethod } from "../../audit/method-choice.ts";
import type { Configured } from "../../audit/options.ts";

export type Methods<M> = Readonly<Record<string, M>>;

/** A method as trials state it. */
interface Stated {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The method that a trial states; undefined for none. Throws `UNKNOWN_METHOD`, `INVALID_CONFIG`. */
export function configuredIn<M extends { readonly config: z.ZodType }>(
  kind: string,
  methods: Methods<M>,
  stated: Stated | null,
): Configured<M> | undefined {
  if (stated === null) return undefined;
  return chooseMethod(kind, methods, { ...stated.options, name: stated.name });
}
