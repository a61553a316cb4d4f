import { AntidoteError } from "../../core/errors.ts";
import type { Planned } from "./expand.ts";
import { needsOf } from "./trial.ts";

/** One of `of` equal parts of an experiment; `index` counts from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/**
 * The part of an experiment that a shard runs: every n-th model with all that is tried on it, and what these need of
 * others (a surrogate). The parts together are the experiment; what several of them need, each makes for itself.
 */
export function partOf(plan: readonly Planned[], { index, of }: Shard): Planned[] {
  const families = [...new Set(plan.map(({ family }) => family))];
  const own = new Set(families.filter((_, at) => at % of === index));
  const byKey = new Map(plan.map((trial) => [trial.key, trial]));
  const wanted = new Set<string>();
  const want = (trial: Planned) => {
    if (wanted.has(trial.key)) return;
    wanted.add(trial.key);
    for (const key of needsOf(trial.config)) want(byKey.get(key)!);
  };
  for (const trial of plan) if (own.has(trial.family)) want(trial);
  return plan.filter(({ key }) => wanted.has(key));
}

/** Variables in which schedulers say which of several equal jobs this is, and how many there are. */
const SCHEDULERS = [
  {
    name: "Slurm",
    index: "SLURM_ARRAY_TASK_ID",
    first: "SLURM_ARRAY_TASK_MIN",
    of: "SLURM_ARRAY_TASK_COUNT",
  },
  { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", first: undefined, of: "JOB_COMPLETIONS" },
] as const;

/**
 * The shard that is asked for: "i/n" with i from 1, else what a scheduler says.
 * @throws `USAGE` if the scheduler says which but not of how many
 */
export function shardFrom(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Shard | undefined {
  if (given !== undefined) {
    const [, position, of] = /^(\d+)\/(\d+)$/.exec(given) ?? [];
    const shard = { index: Number(position) - 1, of: Number(of) };
    if (shard.index >= 0 && shard.index < shard.of) return shard;
    throw new AntidoteError("USAGE", `"${given}" is no part of an experiment.`, {
      place: "--shard",
      next: "Give it as 2/8: the second of eight parts.",
    });
  }
  for (const { name, index, first, of } of SCHEDULERS) {
    const at = environment[index];
    if (at === undefined) continue;
    const parts = Number(environment[of]);
    const shard = { index: Number(at) - Number(first ? (environment[first] ?? 0) : 0), of: parts };
    if (shard.index >= 0 && shard.index < shard.of) return shard;
    throw new AntidoteError(
      "USAGE",
      `${name} says which part this is (${index}=${at}), but not of how many.`,
      {
        place: of,
        next: `Set ${of} to the number of parts, or give --shard i/n.`,
      },
    );
  }
  return undefined;
}
