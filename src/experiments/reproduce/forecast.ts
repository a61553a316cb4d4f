import { describeHardware } from "../../audit/describe.ts";
import { secondsPerImage } from "../../audit/estimate.ts";
import { Random } from "../../core/random.ts";
import type { RunContext } from "../../runtime/context.ts";
import type { Device } from "../../runtime/device.ts";
import { openDevice } from "../../runtime/process-device.ts";
import { expand, networkOf } from "../grid/expand.ts";
import { type Experiment, sourceOf } from "../grid/experiment-file.ts";
import { type Images, readImages, startOf } from "../grid/materials.ts";
import type { ExperimentRun } from "../grid/run-experiment.ts";
import { missingIn } from "../grid/run-grid.ts";
import { familiesOf, partOf } from "../grid/shard.ts";
import { ResultStore } from "../grid/store.ts";
import { amountOf, workOfTrial } from "../grid/work.ts";
import type { Artefact } from "./artefact.ts";
import { Paces, type TrialWork } from "./paces.ts";
import { plansOf } from "./reproduce.ts";
import type { Scale } from "./scales.ts";

/** What lies ahead of a reproduction. */
export interface Forecast {
  /** Trials of all experiments, or of a part of each, each once. */
  readonly trials: number;
  /** Those that the store does not have, and those whose model they need and it has not kept. */
  readonly missing: number;
  /** How long they will take: as long as trials like them took on this machine, else good to a factor of two or three. */
  readonly seconds: number;
  /** What parts of all these experiments together are made of: see `partOf`. */
  readonly families: readonly string[];
}

/** Seconds that a trial takes besides its work: graphs are differentiated and compiled. */
const OVERHEAD = 3;

/**
 * Counts the trials that are missing, and times the network on this machine for those of which the store knows no like.
 * @throws the errors of `readImages` and `expand`
 */
export async function forecast(
  events: Pick<RunContext, "emit" | "signal">,
  artefacts: readonly Artefact[],
  scale: Scale,
  options: Omit<ExperimentRun, "plan">,
): Promise<Forecast> {
  const plans = artefacts.flatMap((artefact) => plansOf(artefact, scale));
  const [first] = plans;
  if (!first) return { trials: 0, missing: 0, seconds: 0, families: [] };
  const images = await readImages(sourceOf(first), events);
  const store = new ResultStore(options.store);
  // In forward passes of the first plan's network.
  const works = new Map<string, TrialWork>();
  const trials = new Set<string>();
  const missing = new Set<string>();
  const expanded = plans.map((plan) => ({ plan, all: expand(plan, images) }));
  const families = familiesOf(expanded.map(({ all }) => all));
  for (const { plan, all } of expanded) {
    const cost = costOf(plan) / costOf(first);
    for (const { key, config } of all) {
      works.set(key, { config, amount: cost * amountOf(workOfTrial(config, images)) });
    }
    const planned = options.shard ? partOf(all, options.shard, families) : all;
    for (const { key } of planned) trials.add(key);
    for (const { key } of missingIn(store, planned)) missing.add(key);
  }
  const counted = { trials: trials.size, missing: missing.size, families };
  if (missing.size === 0) return { ...counted, seconds: 0 };
  const { device: name, threads, workers } = options;
  await using device = await openDevice({ name, threads, signal: events.signal });
  const paces = await Paces.in(store, works, describeHardware(device));
  const unknown: TrialWork[] = [];
  let seconds = 0;
  for (const key of missing) {
    const work = works.get(key)!;
    const known = paces.secondsFor(work);
    if (known === undefined) unknown.push(work);
    else seconds += known;
  }
  if (unknown.length > 0) {
    const passes = unknown.reduce((sum, { amount }) => sum + amount, 0);
    seconds += passes * (await timeOf(events, first, images, device)) + OVERHEAD * unknown.length;
  }
  return { ...counted, seconds: seconds / workers };
}

/** What a network costs beside others: it grows with the square of the width. All go on from the same one, if any does. */
function costOf({ network }: Experiment): number {
  return "from" in network ? 1 : network.width ** 2;
}

/** Seconds that an image takes through the network. */
async function timeOf(
  events: Pick<RunContext, "emit" | "signal">,
  plan: Experiment,
  { train, test }: Images,
  device: Device,
): Promise<number> {
  const context = { ...events, device, random: Random.fromSeed(0) };
  const { pretrained } = sourceOf(plan);
  const network = await startOf(context, { train, pretrained }, networkOf(plan));
  return await secondsPerImage(context, network, test);
}
