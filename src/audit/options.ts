import { z } from "zod";

/** What an effort buys. Steps are factors on the methods' own. */
export const EFFORTS = {
  quick: { repeats: 1, steps: 0.6, copies: 0 },
  standard: { repeats: 2, steps: 1, copies: 0 },
  thorough: { repeats: 5, steps: 1.5, copies: 5 },
} as const;

/** The options of the audit itself; repair and detector have their own. */
export const auditOptions = z.strictObject({
  effort: z
    .enum(["quick", "standard", "thorough"])
    .default("standard")
    .describe("how much work to do; scales the default steps of detector and repair"),
  repeats: z
    .int()
    .min(1)
    .optional()
    .describe("searches with other random starts and images (default: 1, 2 or 5 by effort)"),
  copies: z
    .int()
    .min(0)
    .optional()
    .describe(
      "copies of the model with a planted backdoor, each searched once, to measure what the search would find if it finds nothing (default: 0, 0 or 5 by effort)",
    ),
  references: z
    .array(z.string())
    .default([])
    .describe("clean models for the same classes, whose scores the suspect's is compared with")
    .meta({ placeholder: "onnx,…" }),
  screen: z
    .int()
    .min(0)
    .optional()
    .describe(
      "classes that a cheap search of all classes picks for the full one, beside 8 drawn at random to compare with; 0 searches all (default: 16 if there are 64 classes or more)",
    ),
  memory: z
    .number()
    .positive()
    .default(4)
    .describe(
      "GiB that a step of a trigger search or of fine-tuning may take, about: fewer classes share a step of a search where all of them would take more, and a step that still would is made in parts whose gradients are averaged",
    ),
  allowedDrop: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe("accuracy that a repair may cost, as a share (Δ)"),
  heldOut: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.2)
    .describe("share of the trusted images kept from search and repair, to judge them by"),
});

export type AuditOptions = z.output<typeof auditOptions>;
export type Effort = AuditOptions["effort"];

/** A method with its resolved options. */
export interface Configured<M> {
  readonly method: M;
  readonly config: Readonly<Record<string, unknown>>;
  /** Names of the options that somebody stated; absent where that is not known. */
  readonly given?: readonly string[] | undefined;
}

/** How many searches to make. */
export function repeatsFor({ effort, repeats }: Pick<AuditOptions, "effort" | "repeats">): number {
  return repeats ?? EFFORTS[effort].repeats;
}

/** How many poisoned copies to search. */
export function copiesFor({ effort, copies }: Pick<AuditOptions, "effort" | "copies">): number {
  return copies ?? EFFORTS[effort].copies;
}

/** How many other models calibration searches. */
export function calibrating(options: AuditOptions) {
  return { copies: copiesFor(options), references: options.references.length };
}

/**
 * The method with its number of steps scaled to the effort. Steps that were stated stay as they are; where it is not
 * known what was, those that differ from the default.
 */
export function scaled<M extends { readonly config: z.ZodType }>(
  { method, config, given }: Configured<M>,
  effort: Effort,
): Configured<M> {
  const { steps } = config;
  const usual = method.config.parse({}) as typeof config;
  const stated = given ? given.includes("steps") : steps !== usual["steps"];
  if (typeof steps !== "number" || stated) return { method, config };
  const changed = Math.max(1, Math.round(steps * EFFORTS[effort].steps));
  return { method, config: { ...config, steps: changed } };
}
