import { z } from "zod";
import { ascending, batchTensors, count, type ImageSet } from "../data/images.ts";
import type { Detector } from "../detectors/detector.ts";
import { CLEANSE_SEARCH } from "../inversion/neural-cleanse.ts";
import { groupsFor, POOL, type ScreeningPlan, TOURNAMENT } from "../inversion/screen-classes.ts";
import { STRONGEST_EFFORT } from "../inversion/strongest.ts";
import type { Classifier } from "../models/classifier.ts";
import { compilePredictor } from "../models/predict.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { viewsFor } from "./jury.ts";
import type { Configured, Effort } from "./options.ts";
import type { Prepared } from "./prepare.ts";
import { SELF_POISONING } from "./self-poison.ts";
import type { Stages, Work } from "./stages.ts";

/*
 * How long a run will take: the images that pass through the network, counted in forward passes, times
 * the measured time of one. Good to a factor of two, which is what a user needs before they wait.
 */

/** The options by which methods say how much they compute. */
const SIZE = z.object({
  steps: z.number().default(0),
  teacherSteps: z.number().default(0),
  triggerSteps: z.number().default(0),
  marginSteps: z.number().default(0),
  marginImages: z.number().default(0),
  batchSize: z.number().default(0),
  checkpointEvery: z.number().default(Number.POSITIVE_INFINITY),
  images: z.number().default(0),
  classesPerStep: z.number().default(1),
  families: z.array(z.string()).default(["one"]),
  renew: z.boolean().default(false),
});

/** Forward passes that a step takes per image: forward and backward to the image. */
const INVERSION = 3;
/**
 * Forward and backward to images and weights with batch statistics, and the suspect beside it: about 5 in
 * large networks, 12 in small ones.
 */
const TUNING = 8;

/** What a run will do; without a repair or a detector that stage is empty. */
export interface Plan {
  readonly detector?: Configured<Detector> | undefined;
  readonly repair?: Configured<Repair> | undefined;
  readonly repeats: number;
  /** Poisoned copies and reference models that are searched, too. */
  readonly copies?: number;
  readonly references?: number;
  /** What comes before the search of some of the classes; undefined where all are searched. */
  readonly screening?: ScreeningPlan | undefined;
}

/** What work grows with. */
export interface Sizes {
  readonly classes: number;
  /** Images to search and tune on. */
  readonly tuning: number;
  /** Images that only judge. */
  readonly heldOut: number;
}

export function sizesOf({
  model,
  tuning,
  heldOut,
}: Pick<Prepared, "model" | "tuning" | "heldOut">): Sizes {
  return { classes: model.classes, tuning: count(tuning), heldOut: count(heldOut) };
}

/** The work of the stages "screen", "search", "repair", "measure" and "calibrate", in forward passes of one image. */
export function workOf(
  { detector, repair, repeats, copies = 0, references = 0, screening }: Plan,
  { classes, tuning, heldOut }: Sizes,
): Map<string, Work> {
  const work = new Map<string, Work>();
  const screened = screening && screeningWork(screening, tuning);
  if (screened) work.set("screen", screened);
  const examined = screening ? screening.survivors + screening.controls : classes;
  const looked = detector && lookingWork(detector, repeats, examined);
  if (looked?.search.amount) work.set("search", looked.search);
  if (repair) {
    const { triggerSteps, ...size } = SIZE.parse(repair.config);
    const { steps, teacherSteps, marginSteps, batchSize, checkpointEvery, renew } = size;
    const tuned = teacherSteps + steps;
    const checkpoints = Math.ceil(steps / checkpointEvery);
    // Checkpoints and the suspect: in all views, and with a trigger.
    const judged = (checkpoints + 1) * (1 + viewsFor(heldOut)) * heldOut;
    const searched = renew
      ? checkpoints * STRONGEST_EFFORT.steps * STRONGEST_EFFORT.images * INVERSION
      : 0;
    const inverted = triggerSteps * classes * CLEANSE_SEARCH.parse({}).images * INVERSION;
    const passed = tuned * (repair.method.passes ?? 1);
    const { amount } = tuningWork({ steps: passed, batchSize }, tuning);
    // All classes at the start, then the suspicious ones, of which there is hardly more than one.
    const ascents = marginSteps * (classes + checkpoints) * size.images * INVERSION;
    const other = judged + searched + inverted + ascents;
    const announced = marginSteps * (Math.ceil(classes / 2) + checkpoints);
    work.set("repair", { amount: amount + other, steps: triggerSteps + tuned + announced });
  }
  if (detector && looked) {
    const { search, measure, families } = looked;
    const shown = repeats * families * examined * (repair ? 2 : 1) * heldOut;
    work.set("measure", { amount: measure.amount + shown, steps: Math.max(1, measure.steps) });
    const mended = detector.method.needsRepair ? work.get("repair") : undefined;
    const models = copies + references;
    const each = (of: keyof Work) =>
      (screened?.[of] ?? 0) + (search[of] + measure[of]) / repeats + (mended?.[of] ?? 0);
    const planted = tuningWork(SELF_POISONING, tuning);
    if (models > 0) {
      work.set("calibrate", {
        amount: models * each("amount") + copies * planted.amount,
        steps: models * each("steps") + copies * planted.steps,
      });
    }
  }
  return work;
}

/** The work of a detector that looks at so many classes: what it searches beforehand, and while it measures. */
function lookingWork(
  { method, config }: Configured<Detector>,
  repeats: number,
  examined: number,
): Readonly<Record<"search" | "measure", Work>> & { readonly families: number } {
  const { families, classesPerStep, ...size } = SIZE.parse(config);
  const groups = Math.ceil(examined / classesPerStep);
  const networks = method.needsRepair ? 2 : 1;
  const rounds = (steps: number, images: number): Work => ({
    amount: repeats * groups * steps * Math.ceil(examined / groups) * images * INVERSION * networks,
    steps: repeats * groups * steps,
  });
  const searched = rounds(families.length * size.steps, size.images);
  const ascended = rounds(size.marginSteps, size.marginImages);
  return {
    ...{ search: method.search ? searched : rounds(0, 0), families: families.length },
    measure: method.search ? ascended : searched,
  };
}

/** The work of a screening: a tournament for each kind of trigger, and every image of the pool by itself. */
function screeningWork(screening: ScreeningPlan, tuning: number): Work {
  const { families, groupsPerStep } = screening;
  const groups = groupsFor(screening);
  const { steps, images } = screening.effort ?? TOURNAMENT;
  const rounds = Math.ceil(groups / groupsPerStep);
  const total = families.length * rounds * steps;
  const passes = total * Math.ceil(groups / rounds) * images * INVERSION;
  return { amount: Math.min(POOL, tuning) + passes, steps: total };
}

/** The work of so many steps of tuning. */
export function tuningWork(
  { steps, batchSize }: { readonly steps: number; readonly batchSize: number },
  tuning: number,
): Work {
  return { amount: steps * Math.min(batchSize, tuning) * TUNING, steps };
}

/** "a", "a and b", "a, b, and c" */
const AND = new Intl.ListFormat("en");

/** Tells what the stages to come will do and how long that will take, by the time of one image. */
export async function announce(
  context: RunContext,
  stages: Stages,
  plan: Plan,
  prepared: Prepared,
  effort: Effort,
): Promise<void> {
  const work = workOf(plan, sizesOf(prepared));
  const passes = [...work.values()].reduce((sum, { amount }) => sum + amount, 0);
  const seconds = passes * (await secondsPerImage(context, prepared.model, prepared.heldOut));
  const { detector, repair, repeats, copies = 0, references = 0, screening } = plan;
  const parts = [
    ...(screening
      ? [
          `a screening of ${prepared.model.classes} classes for the ${screening.survivors} likeliest targets and ${screening.controls} at random`,
        ]
      : []),
    ...(detector
      ? [`${repeats === 1 ? "one search" : `${repeats} searches`} (${detector.method.name})`]
      : []),
    ...(repair ? [`a repair (${repair.method.name})`] : []),
    ...(copies > 0 ? [`${copies} poisoned copies unless a backdoor is found`] : []),
    ...(references > 0 ? [`${references} reference ${references === 1 ? "model" : "models"}`] : []),
  ];
  const { described, preflight, tuning, heldOut } = prepared;
  const { accuracy, preprocessing } = preflight;
  const right = `${(100 * accuracy.value).toFixed(1)}%`;
  context.emit({
    kind: "note",
    stage: "plan",
    message: `${described.file}: ${right} of ${count(tuning) + count(heldOut)} trusted images right (preprocessing: ${preprocessing.name}).`,
  });
  const message = `Effort ${effort}: ${AND.format(parts)}, ${about(seconds)}.`;
  context.emit({ kind: "note", stage: "plan", message });
  stages.expect(work);
}

/** How often a batch is timed: one time alone says little on a busy machine. */
const TIMED = 3;

/** Seconds that one image takes through the network, by the mean of a few runs after the first. */
export async function secondsPerImage(
  { device, signal }: RunContext,
  model: Classifier,
  images: ImageSet,
): Promise<number> {
  const size = Math.min(64, count(images));
  const predictor = await compilePredictor(device, model, size);
  try {
    const batch = batchTensors(images, ascending(size)).images; // [B,C,H,W]
    await predictor.predictBatch(batch, signal);
    const start = performance.now();
    for (let run = 0; run < TIMED; run++) await predictor.predictBatch(batch, signal);
    return (performance.now() - start) / 1000 / (TIMED * size);
  } finally {
    await predictor.release();
  }
}

/** "about 40 seconds", "about 5 minutes", "about 3 weeks" */
export function about(seconds: number): string {
  if (seconds < 90) return `about ${Math.max(10, 10 * Math.round(seconds / 10))} seconds`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} minutes`;
  const hours = seconds / 3600;
  if (hours < 48) return `about ${hours.toFixed(1)} hours`;
  const days = hours / 24;
  return days < 21 ? `about ${Math.round(days)} days` : `about ${Math.round(days / 7)} weeks`;
}
