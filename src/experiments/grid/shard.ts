import { AntidoteError } from "../../core/errors.ts";
import type { Planned } from "./expand.ts";
import { needsOf } from "./trial.ts";

/** One of `of` equal parts of an experiment; `index` counts from 0. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** The models of experiments, each with all that is tried on it: what parts are made of. */
export function familiesOf(plans: readonly (readonly Planned[])[]): string[] {
  return [...new Set(plans.flat().map(({ family }) => family))];
}

/**
 * The part of an experiment that a shard runs: every n-th model with all that is tried on it, and what these need of
 * others (a surrogate). The parts together are the experiment; what several of them need, each makes for itself.
 * @param families of several experiments that are divided together, so that a model which they share belongs to one part
 */
export function partOf(
  plan: readonly Planned[],
  { index, of }: Shard,
  families: readonly string[] = familiesOf([plan]),
): Planned[] {
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

interface Scheduler {
  readonly name: string;
  /** Variable that says which of several equal jobs this is. */
  readonly index: string;
  /** Variables with the index of the first job and the distance between two; 0 and 1 where there are none. */
  readonly first?: string;
  readonly step?: string;
  /** Variable that says how many there are. */
  readonly of: string;
}

const SCHEDULERS: readonly Scheduler[] = [
  {
    ...{ name: "Slurm", index: "SLURM_ARRAY_TASK_ID", of: "SLURM_ARRAY_TASK_COUNT" },
    ...{ first: "SLURM_ARRAY_TASK_MIN", step: "SLURM_ARRAY_TASK_STEP" },
  },
  { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", of: "JOB_COMPLETIONS" },
];

/**
 * The shard that is asked for: "i/n" with i from 1, else what a scheduler says.
 * @throws `USAGE` if that is no part of an experiment
 */
export function shardFrom(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Shard | undefined {
  if (given !== undefined) {
    const [, position, of] = /^(\d+)\/(\d+)$/.exec(given) ?? [];
    const shard = { index: Number(position) - 1, of: Number(of) };
    if (isPart(shard)) return shard;
    throw new AntidoteError("USAGE", `"${given}" is no part of an experiment.`, {
      place: "--shard",
      next: "Give it as 2/8: the second of eight parts.",
    });
  }
  const scheduler = SCHEDULERS.find(({ index }) => environment[index] !== undefined);
  return scheduler && shardOf(scheduler, environment);
}

function shardOf(
  { name, index, first, step, of }: Scheduler,
  environment: Readonly<Record<string, string | undefined>>,
): Shard {
  const number = (variable: string | undefined, otherwise: number) =>
    Number((variable && environment[variable]) ?? otherwise);
  const from = number(first, 0);
  const shard = {
    index: (number(index, 0) - from) / number(step, 1),
    of: number(of, Number.NaN),
  };
  if (isPart(shard)) return shard;
  const said = [index, first, step, of].flatMap((variable) =>
    variable && environment[variable] !== undefined ? [`${variable}=${environment[variable]}`] : [],
  );
  throw new AntidoteError("USAGE", `What ${name} says is no part of a whole: ${said.join(", ")}.`, {
    place: of,
    next: `Set ${of} to the number of parts, all with indices in a row, or give --shard i/n.`,
  });
}

function isPart({ index, of }: Shard): boolean {
  return Number.isInteger(index) && Number.isInteger(of) && index >= 0 && index < of;
}
