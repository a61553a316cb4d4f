import { createHash } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { type JudgedCheckpoint, judge, REMOVED } from "../../audit/deploy.ts";
import { describePreprocessing, describeRun } from "../../audit/describe.ts";
import { about, secondsPerImage, sizesOf, tuningWork, workOf } from "../../audit/estimate.ts";
import { JURY_REVISION } from "../../audit/jury.ts";
import { within } from "../../audit/memory.ts";
import { auditOptions, type Configured } from "../../audit/options.ts";
import { describeData, type Prepared, prepare, type Subject } from "../../audit/prepare.ts";
import { repairAndJudge } from "../../audit/repair-model.ts";
import { POISONING_REVISION, type PoisonedCopy, SELF_POISONING } from "../../audit/self-poison.ts";
import { Stages, type Work } from "../../audit/stages.ts";
import { warningsFor } from "../../audit/words.ts";
import { VERSION } from "../../core/version.ts";
import { digestOf } from "../../data/digest.ts";
import { smallestTrigger } from "../../detectors/smallest-trigger.ts";
import { STARTS, type SuspectedTrigger, searchSuspected } from "../../inversion/smallest.ts";
import type { Repair } from "../../repairs/repair.ts";
import type { RunContext } from "../../runtime/context.ts";
import { keptCopy } from "./planted-file.ts";
import { climb, type Rung, rungsOf } from "./rungs.ts";
import { SEARCH_SCHEMA_VERSION, type SearchRecord } from "./search-record.ts";
import { type Configuration, configurationsOf } from "./search-space.ts";
import { type Trial, TrialJournal } from "./trials.ts";

/** The options of a search. */
export const SEARCH = z.strictObject({
  configurations: z
    .int()
    .min(2)
    .default(20)
    .describe(
      "how many configurations are tried, the method's own with what is given among them; all of them if there are no more",
    ),
  strategy: z
    .enum(["halving", "grid"])
    .default("halving")
    .describe(
      "halving: all run for a ninth of the steps, the best third for a third, the best ninth to the end, without rounds of fewer than 20 steps, and the method's own always; grid: all run to the end",
    ),
  ...auditOptions.pick({ allowedDrop: true, heldOut: true, memory: true }).shape,
});

export type SearchOptions = z.output<typeof SEARCH>;

export interface SearchInput extends Subject {
  readonly repair: Configured<Repair>;
  /** Options of the repair that keep their values. */
  readonly fixed: ReadonlySet<string>;
  readonly seed: number;
  /** Folder in which the search keeps what it has done; a search that was stopped goes on from there. */
  readonly folder: string;
}

/** What a search is going to do. */
interface Plan {
  /** Values to try, by option. */
  readonly space: Readonly<Record<string, readonly unknown[]>>;
  /** The method's own first. */
  readonly configurations: readonly Configuration[];
  readonly rungs: readonly Rung[];
  /** Class that the planted trigger leads to. */
  readonly target: number;
}

/**
 * Searches the hyper-parameters of a repair for one model as a defender can (Pick your Poison, Section V-C): a copy
 * of the model is poisoned with a known trigger, every configuration repairs that copy, and the best one is that
 * with the lowest success of the trigger among those that keep the allowed accuracy on held-out trusted images.
 * A backdoor of the suspect's own, if there is one, has no say.
 * @returns the record with `configFile` still null
 * @throws the errors of `prepare`, `poisonCopy` and `TrialJournal.open`; `CANCELLED`
 */
export async function search(
  machine: RunContext,
  input: SearchInput,
  options: SearchOptions,
): Promise<SearchRecord> {
  const context = within(machine, options.memory);
  const stages = new Stages("search", context);
  const { repair, folder } = input;
  const prepared = await stages.run("preflight", (part) => prepare(part, input, options.heldOut));
  const plan = planOf(context, input, prepared, options);
  const key = keyOf(input, prepared, plan, options);
  const journal = await TrialJournal.open(join(folder, "trials.jsonl"), key);
  await announce(context, stages, input, prepared, plan, journal);

  const { target } = plan;
  const patient = { ...prepared, file: input.file };
  const copy = await stages.run("self-poisoning", (part) => {
    const own = { ...part, random: context.random.fork("self-poisoning") };
    return keptCopy(own, join(folder, "poisoned.onnx"), key, patient, target);
  });
  const copied = { step: 0, loss: null, model: copy.model };
  const before = await judge(context, copied, prepared.heldOut, copy.probe);

  // Found once for all trials, on the copy as it is.
  const triggers = repair.method.takesTriggers
    ? await stages.run("triggers", (part) => searchSuspected(part, copy.model, prepared.tuning))
    : [];

  const run = async (configuration: Configuration, steps: number): Promise<Trial> => {
    const config = { ...configuration, steps };
    const known = journal.find(config);
    if (known) return known;
    const made = await stages.run(stageOf(journal.trials.length), (part) =>
      tryOut(part, { ...prepared, copy, triggers }, { ...repair, config }, options.allowedDrop),
    );
    await journal.add(made);
    return made;
  };
  const [best] = await climb(plan.rungs, plan.configurations, run, betterFor(options.allowedDrop));
  return {
    ...resultOf(plan, journal.trials, best!, repair),
    ...{ schemaVersion: SEARCH_SCHEMA_VERSION, document: "search", configFile: null },
    poisoned: poisonedOf(before, input, target),
    warnings: [
      ...warningsFor(input.trusted, prepared, options.allowedDrop, { stopped: null }),
      ...warningsAbout(best!, options),
    ],
    model: prepared.described,
    data: describeData(input, prepared, "poison a copy and tune the repairs"),
    preprocessing: describePreprocessing(prepared.preflight),
    config: { repair: { name: repair.method.name, options: repair.config }, options },
    ...(await describeRun(context, input.seed, stages)),
  };
}

function planOf(
  { random }: RunContext,
  { repair, fixed }: SearchInput,
  { model }: Prepared,
  { configurations: wanted, strategy }: SearchOptions,
): Plan {
  const { space: whole } = repair.method as { space: Plan["space"] };
  const space = Object.fromEntries(Object.entries(whole).filter(([name]) => !fixed.has(name)));
  const drawn = random.fork("configurations");
  const configurations = configurationsOf(repair.config, space, wanted, drawn);
  const rungs = rungsOf(strategy, configurations.length, Number(repair.config["steps"]));
  return { space, configurations, rungs, target: random.fork("target").integer(0, model.classes) };
}

/** Identifies all that the trials depend on. */
function keyOf(
  { repair, trusted, seed }: SearchInput,
  { described, model }: Prepared,
  { configurations }: Plan,
  { allowedDrop, heldOut, strategy, memory }: SearchOptions,
): string {
  const about = {
    ...{ model: described.sha256, preprocessing: model.preprocessing, images: digestOf(trusted) },
    ...{ repair: repair.method.name, configurations, strategy, seed, allowedDrop, heldOut },
    memory,
    ...{ version: VERSION, revision: repair.method.revision ?? 1, poisoning: POISONING_REVISION },
    jury: JURY_REVISION,
  };
  return createHash("sha256").update(JSON.stringify(about)).digest("hex");
}

const stageOf = (trial: number): string => `trial ${trial + 1}`;

/** Says how long it will take, by the time of one image. */
async function announce(
  context: RunContext,
  stages: Stages,
  { repair }: SearchInput,
  prepared: Prepared,
  { rungs, configurations }: Plan,
  { trials }: TrialJournal,
): Promise<void> {
  // Beside the best of the round before there is the first configuration.
  const lengths = rungs.flatMap(({ configurations: size, steps }, at) =>
    Array<number>(at === 0 ? size : size + 1).fill(steps),
  );
  const expected = new Map<string, Work>();
  const sizes = sizesOf(prepared);
  if (trials.length === 0) expected.set("self-poisoning", tuningWork(SELF_POISONING, sizes.tuning));
  if (repair.method.takesTriggers) {
    const detector = { method: smallestTrigger, config: smallestTrigger.config.parse({}) };
    expected.set("triggers", workOf({ detector, repeats: STARTS }, sizes).get("search")!);
  }
  for (const [at, steps] of lengths.entries()) {
    if (at < trials.length) continue;
    const method = { ...repair, config: { ...repair.config, steps } };
    expected.set(stageOf(at), workOf({ repair: method, repeats: 1 }, sizes).get("repair")!);
  }
  const passes = [...expected.values()].reduce((sum, { amount }) => sum + amount, 0);
  const seconds = passes * (await secondsPerImage(context, prepared.model, prepared.heldOut));
  const done = trials.length > 0 ? `${trials.length} trials are there already, ` : "";
  context.emit({
    kind: "note",
    stage: "plan",
    message: `${configurations.length} configurations of ${repair.method.name} in ${rungs.length} ${rungs.length === 1 ? "round" : "rounds"}: ${done}${about(seconds)}.`,
  });
  stages.expect(expected);
}

/** What every trial starts from, beside the images. */
interface Attempt {
  readonly copy: PoisonedCopy;
  /** Triggers that were found on the copy, for repairs that use some. */
  readonly triggers: readonly SuspectedTrigger[];
}

/** Repairs the poisoned copy with one configuration. */
async function tryOut(
  context: RunContext,
  { copy, triggers, tuning, heldOut }: Prepared & Attempt,
  repair: Configured<Repair>,
  allowedDrop: number,
): Promise<Trial> {
  const started = performance.now();
  const patient = { model: copy.model, tuning, heldOut };
  const known = { triggers, probe: copy.probe };
  const outcome = await repairAndJudge(context, patient, known, repair, allowedDrop);
  const { chosen, drop, views, deployable, stopped } = outcome;
  const { success, accuracy, step } = chosen;
  return {
    ...{ options: repair.config, success, accuracy, drop, views, deployable, step, stopped },
    duration: (performance.now() - started) / 1000,
  };
}

/** What trials are compared by. */
type TrialResult = {
  readonly [Key in "deployable" | "success"]: Trial[Key];
} & { readonly drop: { readonly value: number } };

/**
 * Orders trials, the better one first: one that keeps the allowed accuracy, give or take a standard error; then one whose loss is
 * seen to be within it, since among many the one that removes most within the error would mostly be one that loses more; then the
 * lower success, where what counts as removed is as good as nothing, then the smaller loss of accuracy.
 */
export function betterFor(allowedDrop: number): (a: TrialResult, b: TrialResult) => number {
  const isWithin = ({ drop }: TrialResult) => Number(drop.value <= allowedDrop + 1e-9);
  return (a, b) =>
    Number(b.deployable) - Number(a.deployable) ||
    isWithin(b) - isWithin(a) ||
    Math.max(a.success, REMOVED) - Math.max(b.success, REMOVED) ||
    a.drop.value - b.drop.value ||
    a.success - b.success;
}

function resultOf(
  { space, rungs, configurations }: Plan,
  trials: readonly Trial[],
  best: Trial,
  { method }: Configured<Repair>,
): Pick<SearchRecord, "best" | "bestTrial" | "defaultTrial" | "trials" | "rungs" | "space"> {
  const sameAs = (wanted: Configuration) => (trial: Trial) =>
    JSON.stringify({ ...trial.options, steps: 0 }) === JSON.stringify({ ...wanted, steps: 0 });
  return {
    best: { name: method.name, options: best.options } as SearchRecord["best"],
    bestTrial: trials.indexOf(best),
    defaultTrial: trials.findLastIndex(sameAs(configurations[0]!)),
    trials: trials as SearchRecord["trials"],
    ...{ rungs, space: space as SearchRecord["space"] },
  };
}

function poisonedOf(
  { success, accuracy }: JudgedCheckpoint,
  { trusted }: SearchInput,
  target: number,
): SearchRecord["poisoned"] {
  const targetClass = { index: target, name: trusted.classNames[target]! };
  return { targetClass, success, accuracy };
}

function warningsAbout(
  { deployable, success, drop }: Trial,
  { allowedDrop }: SearchOptions,
): string[] {
  if (!deployable) {
    return ["No configuration keeps the allowed accuracy: the best one is the least bad."];
  }
  const points = (share: number) => (100 * share).toFixed(1);
  return [
    ...(drop.value > allowedDrop
      ? [
          `The best configuration loses ${points(drop.value)} points of accuracy on the held-out images (95 %: ${points(drop.low)} to ${points(drop.high)}), within a standard error of the allowed ${points(allowedDrop)}.`,
        ]
      : []),
    ...(success > REMOVED
      ? ["No configuration that keeps the allowed accuracy removes the planted trigger."]
      : []),
  ];
}
