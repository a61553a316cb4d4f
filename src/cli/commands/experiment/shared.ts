import { z } from "zod";
import { AntidoteError } from "../../../core/errors.ts";
import type { Emit } from "../../../core/progress.ts";
import { experiment } from "../../../experiments/grid/experiment-file.ts";
import type { GridResult } from "../../../experiments/grid/run-grid.ts";
import { type Shard, shardFrom } from "../../../experiments/grid/shard.ts";
import type { Details } from "../../command.ts";
import { fieldsOf, toText } from "../../options/fields.ts";
import { grouped } from "../../options/shared.ts";

/** The folder in which results are kept. */
export const STORE_OPTION = grouped("Results:", {
  store: z
    .string()
    .min(1)
    .default("antidote-results")
    .describe("folder of the result store")
    .meta({ placeholder: "dir" }),
});

/** The part of an experiment that a command runs. */
export const SHARD_OPTION = grouped("Results:", {
  shard: z
    .string()
    .optional()
    .describe(
      "run one part alone: 2/8 is the second of eight (default: what a scheduler says, else all)",
    )
    .meta({ placeholder: "i/n" }),
});

/** The part that is asked for; one that a scheduler has chosen is said. Throws `USAGE`. */
export function shardOf(
  { shard: given }: { readonly shard?: string | undefined },
  emit: Emit,
): Shard | undefined {
  const shard = shardFrom(given, process.env);
  if (shard && given === undefined) {
    const message = `Part ${shard.index + 1} of ${shard.of}, as the scheduler says; --shard i/n says otherwise.`;
    emit({ kind: "note", stage: "experiment", message });
  }
  return shard;
}

/** A shard as documents state it. */
export function partOf(shard: Shard | undefined) {
  return shard ? { position: shard.index + 1, of: shard.of } : null;
}

/** The file that an experiment is described in. */
export const FILE_ARGUMENT = {
  name: "file",
  description: "YAML file that describes the experiment",
};

/** What went wrong with a grid as a whole; undefined if nothing did. */
export function incomplete({
  failed,
  blocked,
}: Pick<GridResult, "failed" | "blocked">): AntidoteError | undefined {
  if (failed.length + blocked.length === 0) return undefined;
  const [first] = failed;
  return new AntidoteError(
    first?.code ?? "INTERNAL",
    `${counted(failed.length)} failed and ${blocked.length} could not run without. ${first?.message ?? ""}`.trim(),
    { next: first?.next ?? "Run the same command again: failed trials are tried anew." },
  );
}

function counted(trials: number): string {
  return `${trials} ${trials === 1 ? "trial" : "trials"}`;
}

/** What an experiment file can say: all of it comes from its schema. */
export const FILE_DETAILS: Details = {
  heading: "Keys of the file (all but data may be left out; paths are taken from its folder):",
  rows: fieldsOf(experiment).map((field) => {
    const inner = z.toJSONSchema(experiment, { io: "input" }).properties?.[field.key];
    const keys = Object.keys((typeof inner === "object" && inner.properties) || {});
    const own = keys.length > 0 ? `: ${keys.join(", ")}` : "";
    const choices = field.placeholder === "<choice>" ? `: ${field.expects}` : "";
    return [field.key, `${field.description}${own}${choices}${defaultText(field.default)}`];
  }),
  example: `data: cifar-10-batches-bin
training: {epochs: 8}
attacks:
  - {name: badnets, poisoned: [5, 50]}     # options of a method stand beside its name
  - {name: wanet, poisoned: 500, strength: 1.5}
seeds: 3
trusted: [0.01, 0.05]
repairs: [pivotal-tuning, {name: weight-decay, steps: 500}]
detectors: [smallest-trigger]
`,
};

function defaultText(value: unknown): string {
  const none = value === undefined || (typeof value === "object" && toText(value) === "");
  return none || toText(value) === "{}" ? "" : ` (default: ${toText(value)})`;
}
