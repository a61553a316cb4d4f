import { describeHardware } from "../../audit/describe.ts";
import { secondsPerImage } from "../../audit/estimate.ts";
import { Random } from "../../core/random.ts";
import type { RunContext } from "../../runtime/context.ts";
import type { Device } from "../../runtime/device.ts";
import { openDevice } from "../../runtime/process-device.ts";
import { expand, networkOf, type Planned } from "./expand.ts";
import { type Experiment, sourceOf } from "./experiment-file.ts";
import { type Images, readImages, startOf } from "./materials.ts";
import { Paces, type TrialWork } from "./paces.ts";
import type { ExperimentRun } from "./run-experiment.ts";
import { missingIn } from "./run-grid.ts";
import { familiesOf, partOf } from "./shard.ts";
import { ResultStore } from "./store.ts";
import { amountOf, workOfTrial } from "./work.ts";

/** What lies ahead of a run. */
export interface Ahead {
  /** Trials of all experiments, or of a part of each, each once. */
  readonly trials: number;
  /** Those that the store does not have, and those whose model they need and it has not kept. */
  readonly missing: number;
  /** How long these will take: as long as trials like them took on this machine or a similar one, else good to a factor of two or three. */
  readonly seconds: number;
  /** How long all of them take from an empty store; null where that is not asked. */
  readonly anew: number | null;
}

export interface Forecast extends Ahead {
  /** Of every group of experiments, in their order; trials that several of them have count in each. */
  readonly groups: readonly Ahead[];
  /** What parts of all these experiments together are made of: see `partOf`. */
  readonly families: readonly string[];
}

interface ForecastOptions extends Omit<ExperimentRun, "plan" | "families"> {
  /** Whether to tell how long everything takes from an empty store, too. */
  readonly anew?: boolean;
}

/** Seconds that a trial takes besides its work: graphs are differentiated and compiled. */
const OVERHEAD = 3;

/**
 * Counts the trials that are missing, and times the network on this machine for those of which the store knows no like.
 * @param groups experiments that run for one purpose each; all read the same images
 * @throws the errors of `readImages` and `expand`
 */
export async function forecast(
  events: Pick<RunContext, "emit" | "signal">,
  groups: readonly (readonly Experiment[])[],
  { folder, shard, anew = false, ...options }: ForecastOptions,
): Promise<Forecast> {
  const [first] = groups.flat();
  if (!first) {
    const nothing = { trials: 0, missing: 0, seconds: 0, anew: anew ? 0 : null };
    return { ...nothing, groups: groups.map(() => nothing), families: [] };
  }
  const images = await readImages(sourceOf(first, folder), events);
  const store = new ResultStore(options.store);
  const expanded = groups.map((plans) => plans.map((plan) => expand(plan, images)));
  const families = familiesOf(expanded.flat());
  const parts = expanded.map((group) =>
    group.map((trials) => (shard ? partOf(trials, shard, families) : trials)),
  );
  const trials = parts.map(keysOf);
  const missing = parts.map((group) => keysOf(group.map((part) => missingIn(store, part))));
  const all = { trials: union(trials), missing: union(missing) };
  const toPrice = anew ? all.trials : all.missing;
  const works = worksOf(groups, expanded, images);
  const prices =
    toPrice.size === 0
      ? new Map<string, number>()
      : await pricesOf(events, { plan: first, folder, images, store, works, toPrice }, options);
  const sum = (keys: ReadonlySet<string>) =>
    [...keys].reduce((seconds, key) => seconds + prices.get(key)!, 0) / options.workers;
  const ahead = (trials: ReadonlySet<string>, missing: ReadonlySet<string>): Ahead => ({
    ...{ trials: trials.size, missing: missing.size, seconds: sum(missing) },
    anew: anew ? sum(trials) : null,
  });
  return {
    ...ahead(all.trials, all.missing),
    groups: trials.map((own, at) => ahead(own, missing[at]!)),
    families,
  };
}

function keysOf(plans: readonly (readonly Planned[])[]): Set<string> {
  return new Set(plans.flat().map(({ key }) => key));
}

function union(sets: readonly ReadonlySet<string>[]): Set<string> {
  return new Set(sets.flatMap((set) => [...set]));
}

/** How much work every trial is, by key, in forward passes of the first plan's network. */
function worksOf(
  groups: readonly (readonly Experiment[])[],
  expanded: readonly (readonly (readonly Planned[])[])[],
  images: Images,
): Map<string, TrialWork> {
  const unit = costOf(groups.flat()[0]!);
  const plans = groups.flat().map((plan, at) => ({ plan, trials: expanded.flat()[at]! }));
  return new Map(
    plans.flatMap(({ plan, trials }) =>
      trials.map(({ key, config }) => {
        const amount = (costOf(plan) / unit) * amountOf(workOfTrial(config, images));
        return [key, { config, amount }] as const;
      }),
    ),
  );
}

/** How long each of these trials takes one worker, in seconds. */
async function pricesOf(
  events: Pick<RunContext, "emit" | "signal">,
  {
    plan,
    folder,
    images,
    store,
    works,
    toPrice,
  }: {
    /** Whose network is timed where that is needed. */
    readonly plan: Experiment;
    readonly folder: string | undefined;
    readonly images: Images;
    readonly store: ResultStore;
    readonly works: ReadonlyMap<string, TrialWork>;
    readonly toPrice: ReadonlySet<string>;
  },
  { device: name, threads }: Pick<ExperimentRun, "device" | "threads">,
): Promise<Map<string, number>> {
  await using device = await openDevice({ name, threads, signal: events.signal });
  const paces = await Paces.in(store, works, describeHardware(device));
  const known = new Map([...toPrice].map((key) => [key, paces.secondsFor(works.get(key)!)]));
  const pass = [...known.values()].includes(undefined)
    ? await timeOf(events, { plan, folder, images }, device)
    : 0;
  return new Map(
    [...known].map(([key, seconds]) => [key, seconds ?? works.get(key)!.amount * pass + OVERHEAD]),
  );
}

/** What a network costs beside others: it grows with the square of the width. All go on from the same one, if any does. */
function costOf({ network }: Experiment): number {
  return "from" in network ? 1 : network.width ** 2;
}

/** Seconds that an image takes through the network of a plan. */
async function timeOf(
  events: Pick<RunContext, "emit" | "signal">,
  {
    plan,
    folder,
    images: { train, test },
  }: { readonly plan: Experiment; readonly folder: string | undefined; readonly images: Images },
  device: Device,
): Promise<number> {
  const context = { ...events, device, random: Random.fromSeed(0) };
  const { pretrained } = sourceOf(plan, folder);
  const network = await startOf(context, { train, pretrained }, networkOf(plan));
  return await secondsPerImage(context, network, test);
}
