import { AntidoteError } from "../core/errors.ts";
import { ascending, count, type ImageSet, subset } from "../data/images.ts";
import { overlayPng } from "../data/overlay.ts";
import { complement, stratified } from "../data/split.ts";
import type { Detection, Detector } from "../detectors/detector.ts";
import { type SmallestTriggers, type SuspectedTrigger, suspected } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Preprocessing } from "../models/preprocessing.ts";
import type { OnnxFile } from "../onnx/file.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { chooseDeployable, type JudgedCheckpoint, judge } from "./deploy.ts";
import {
  describeHardware,
  describeModel,
  describePreprocessing,
  describeVersions,
  imagesPerClass,
} from "./describe.ts";
import { summarise } from "./evidence.ts";
import { type AuditOptions, EFFORTS } from "./options.ts";
import { preflight } from "./preflight.ts";
import type { AuditRecord } from "./record.ts";
import { DIFFERENCE_GAIN, type Pictures, takeSamples } from "./samples.ts";
import { Stopwatch } from "./stages.ts";
import { decide, ruleOf } from "./verdict.ts";
import { COVERED, NOT_TESTED, reasonsFor, warningsFor } from "./words.ts";

/** A method with its resolved options. */
export interface Configured<M> {
  readonly method: M;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface AuditInput {
  readonly file: OnnxFile;
  readonly model: Classifier;
  readonly trusted: ImageSet;
  /** Where the images came from, for the record. */
  readonly source: Pick<AuditRecord["data"], "kind" | "path" | "classOrder">;
  /** Without one, it is chosen by accuracy. */
  readonly preprocessing?: Preprocessing | undefined;
  readonly repair: Configured<Repair>;
  readonly detector: Configured<Detector>;
  readonly seed: number;
}

/** What an audit yields. Nothing has been written yet. */
export interface AuditResult {
  /** With `repairedModel` and `report` still null. */
  readonly record: AuditRecord;
  /** Pictures by the names that the record uses. */
  readonly pictures: Pictures;
  /** The chosen checkpoint; the record says whether it keeps the allowed drop. */
  readonly repaired: Classifier;
}

/** Fewest trusted images of every class. */
const MINIMUM_PER_CLASS = 5;

/**
 * Audits a classifier: does it do its job (preflight)? Search the smallest triggers on it, repair it,
 * choose the checkpoint a defender would ship, measure what the triggers do to both models on images held
 * out from all of that, and draw the verdict.
 * @throws the errors of `preflight`; `TOO_FEW_IMAGES`; `DIVERGED`; `CANCELLED`
 */
export async function audit(
  context: RunContext,
  input: AuditInput,
  options: AuditOptions,
): Promise<AuditResult> {
  const startedAt = new Date().toISOString();
  const watch = new Stopwatch();
  const { random } = context;
  const { repeats, steps } = effortOf(options);
  const repair = scaled(input.repair, steps);
  const detector = scaled(input.detector, steps);

  const checked = await watch.time("preflight", () =>
    preflight(context, input.model, input.trusted, input.preprocessing),
  );
  const model = checked.classifier;
  const { tuning, heldOut } = split(context, input.trusted, options.heldOut);
  const contextOf = (r: number) => ({ ...context, random: random.fork(`repeat/${r}`) });
  const subsets = Array.from({ length: repeats }, (_, r) =>
    repeats === 1 ? tuning : drawSubset(contextOf(r), tuning),
  );

  const found: (SmallestTriggers | undefined)[] = await watch.time("search", async () => {
    const all = [];
    for (const [r, search] of subsets.entries()) {
      const part = numbered(contextOf(r), "search", r, repeats);
      all.push(await detector.method.search?.(part, { model, search }, detector.config));
    }
    return all;
  });
  const triggers = found.flatMap((t) => (t ? suspected(t) : []));
  // The most suspicious trigger is what checkpoints are judged by.
  const strongest = triggers.reduce<SuspectedTrigger | undefined>(
    (a, b) => (a && a.suspicion >= b.suspicion ? a : b),
    undefined,
  );

  const { suspect, checkpoints } = await watch.time("repair", async () => {
    const before = await judge(context, { step: 0, loss: null, model }, heldOut, strongest);
    const judged: JudgedCheckpoint[] = [];
    const trusted = { model, trusted: tuning, ...(triggers.length > 0 ? { triggers } : {}) };
    const tuned = { ...context, random: random.fork("repair") };
    for await (const checkpoint of repair.method.run(tuned, trusted, repair.config)) {
      judged.push(await judge(context, checkpoint, heldOut, strongest));
    }
    return { suspect: before, checkpoints: judged };
  });
  const { chosen, deployable } = chooseDeployable(suspect, checkpoints, options.allowedDrop);

  const detections = await watch.time("measure", async () => {
    const all: Detection[] = [];
    for (const [r, search] of subsets.entries()) {
      const known = found[r];
      const material = { model, repaired: chosen.model, search, heldOut };
      const part = numbered(contextOf(r), "detection", r, repeats);
      const given = known ? { ...material, triggers: known } : material;
      all.push(await detector.method.run(part, given, detector.config));
    }
    return all;
  });

  const rule = ruleOf(detections[0]!.statistic);
  const classes = summarise(detections, rule.statistic === "size-ratio");
  const leading = classes.reduce((a, b) => (b.score > a.score ? b : a));
  const verdict = decide(rule, leading.score, leading.interval);
  const nameOf = (index: number) => ({ index, name: input.trusted.classNames[index]! });

  const pictures: Pictures = new Map();
  const classRecords = await Promise.all(
    classes.map(async ({ target, score, interval, repeats: values, strongest: evidence }) => {
      const picture = `triggers/${String(target).padStart(3, "0")}.png`;
      pictures.set(picture, await overlayPng(evidence.trigger));
      return {
        ...nameOf(target),
        score,
        scoreInterval: interval,
        repeats: values,
        success: evidence.success,
        trigger: picture,
      };
    }),
  );
  const samples = await takeSamples(
    context,
    { suspect: model, repaired: chosen.model },
    heldOut,
    { overlay: leading.strongest.trigger, target: leading.target },
    pictures,
  );
  const described = { rule, verdict, leading, name: nameOf(leading.target).name, deployable };
  const record: AuditRecord = {
    schemaVersion: 1,
    document: "audit",
    verdict,
    targetClass: verdict === "backdoored" ? nameOf(leading.target) : null,
    score: leading.score,
    scoreInterval: leading.interval,
    rule,
    reasons: reasonsFor(described),
    classes: classRecords,
    accuracy: { before: suspect.accuracy, after: chosen.accuracy },
    repairedModel: null,
    report: null,
    repair: {
      allowedDrop: options.allowedDrop,
      deployable,
      curve: [suspect, ...checkpoints].map((point) => ({
        step: point.step,
        heldOutAccuracy: point.accuracy,
        loss: point.loss,
        chosen: point === chosen,
      })),
    },
    samples,
    differenceGain: DIFFERENCE_GAIN,
    warnings: warningsFor(input.trusted, heldOut, options.allowedDrop),
    covered: COVERED,
    notTested: NOT_TESTED,
    model: await describeModel(input.file, model),
    data: {
      ...input.source,
      images: count(input.trusted),
      perClass: imagesPerClass(input.trusted),
      uses: [
        { purpose: "search triggers and tune the repair", images: count(tuning) },
        { purpose: "judge triggers and checkpoints", images: count(heldOut) },
      ],
    },
    preprocessing: describePreprocessing(checked),
    config: {
      effort: options.effort,
      audit: { ...options, repeats },
      repair: { name: repair.method.name, options: repair.config },
      detector: { name: detector.method.name, options: detector.config },
    },
    seed: input.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    startedAt,
    duration: watch.total,
    stages: watch.stages,
    peakMemory: process.resourceUsage().maxRSS * 1024 + (await context.device.peakMemory()),
  };
  return { record, pictures, repaired: chosen.model };
}

function effortOf(options: AuditOptions): { readonly repeats: number; readonly steps: number } {
  const { repeats, steps } = EFFORTS[options.effort];
  return { repeats: options.repeats ?? repeats, steps };
}

/** The method with its number of steps scaled to the effort. */
function scaled<M extends Repair | Detector>({ method, config }: Configured<M>, factor: number) {
  const { steps } = config;
  const changed =
    typeof steps === "number" ? { steps: Math.max(1, Math.round(steps * factor)) } : {};
  return { method, config: { ...config, ...changed } };
}

/** Trusted images to search and tune on, and others to judge by. */
function split(
  context: RunContext,
  trusted: ImageSet,
  share: number,
): { readonly tuning: ImageSet; readonly heldOut: ImageSet } {
  const smallest = Math.min(...imagesPerClass(trusted));
  if (smallest < MINIMUM_PER_CLASS) {
    const few = imagesPerClass(trusted).flatMap((n, k) => (n < MINIMUM_PER_CLASS ? [k] : []));
    throw new AntidoteError(
      "TOO_FEW_IMAGES",
      `An audit needs at least ${MINIMUM_PER_CLASS} trusted images of every class; ${few
        .slice(0, 5)
        .map((k) => `"${trusted.classNames[k]}" has ${imagesPerClass(trusted)[k]}`)
        .join(", ")}.`,
      { next: "Add images of these classes: 50 per class are a good number." },
    );
  }
  const held = stratified(
    trusted,
    Math.round(share * count(trusted)),
    context.random.fork("held-out"),
  );
  return {
    tuning: subset(trusted, complement(count(trusted), held)),
    heldOut: subset(trusted, held),
  };
}

/** A random four fifths, so that repeats differ in their images too. */
function drawSubset(context: RunContext, set: ImageSet): ImageSet {
  const size = Math.ceil(0.8 * count(set));
  return subset(set, context.random.fork("subset").sample(ascending(count(set)), size));
}

/** Names the repeat in progress events. */
function numbered(context: RunContext, stage: string, r: number, repeats: number): RunContext {
  if (repeats === 1) return context;
  return {
    ...context,
    emit: (event) =>
      context.emit({ ...event, stage: `${event.stage || stage} (${r + 1} of ${repeats})` }),
  };
}
