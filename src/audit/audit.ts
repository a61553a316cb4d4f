import { triggerPng } from "../data/fixed-trigger.ts";
import type { Detector } from "../detectors/detector.ts";
import { screenClasses } from "../inversion/screen-classes.ts";
import { suspected } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import { checkReplaceable } from "../onnx/export.ts";
import type { OnnxFile } from "../onnx/file.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { openReferences } from "./calibrate.ts";
import { classReferenceOf, decideOn } from "./decision.ts";
import { describePreprocessing, describeRun } from "./describe.ts";
import { announce } from "./estimate.ts";
import { fitting, within } from "./memory.ts";
import {
  type AuditOptions,
  type Configured,
  calibrating,
  copiesFor,
  repeatsFor,
  scaled,
} from "./options.ts";
import { describeData, prepare, type Subject } from "./prepare.ts";
import { AUDIT_SCHEMA_VERSION, type AuditRecord } from "./record.ts";
import { describeRepair, repairModel } from "./repair-model.ts";
import { detectAll, repeatsOf, searchAll } from "./repeats.ts";
import { DIFFERENCE_GAIN, type Pictures, takeSamples } from "./samples.ts";
import { describeScreening, screeningFor } from "./screening.ts";
import { Stages } from "./stages.ts";
import { warningsFor } from "./words.ts";

export interface AuditInput extends Subject {
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
  /** The suspect as it was read: the repaired model is written in its form. */
  readonly file: OnnxFile;
}

/**
 * Audits a classifier: does it do its job (preflight)? Search the smallest triggers on it, repair it,
 * choose the checkpoint a defender would ship, measure what the triggers do to both models on images held
 * out from all of that, and draw the verdict.
 * @throws the errors of `checkReplaceable` and `prepare`; `CANCELLED`
 */
export async function audit(
  machine: RunContext,
  input: AuditInput,
  options: AuditOptions,
): Promise<AuditResult> {
  const context = within(machine, options.memory);
  const stages = new Stages("audit", context);
  const total = repeatsFor(options);
  const repair = scaled(input.repair, options.effort);
  const wanted = scaled(input.detector, options.effort);

  checkReplaceable(input.file, input.model.weights.keys());
  const { prepared, references } = await stages.run("preflight", async (part) => ({
    prepared: await prepare(part, input, options.heldOut),
    references: await openReferences(part, input, options),
  }));
  const { model, tuning, heldOut } = prepared;
  const detector = await fitting(wanted, model, options.memory);
  const repeats = repeatsOf(context, tuning, total);
  const screening = await screeningFor(options, detector, model);
  const plan = { detector, repair, repeats: total, screening, ...calibrating(options) };
  await announce(context, stages, plan, prepared, options.effort);

  const examined =
    screening &&
    (await stages.run("screen", (part) => screenClasses(part, model, tuning, screening)));
  const found = await stages.run("search", (part) =>
    searchAll(part, repeats, detector, model, examined),
  );
  const triggers = found.flatMap((t) => (t ? suspected(t) : []));
  const outcome = await stages.run("repair", (part) =>
    repairModel(part, prepared, triggers, repair, options.allowedDrop),
  );
  const { suspect, chosen, deployable } = outcome;
  const models = { model, repaired: outcome.model, heldOut, examined };
  const detections = await stages.run("measure", (part) =>
    detectAll(part, repeats, detector, models, found),
  );

  const described = describeScreening(examined, input.trusted.classNames);
  const about = { subject: input, prepared, detector, repair, references, examined };
  const { decision, classes, leading } = await decideOn(
    stages,
    detections,
    { ...about, repaired: outcome },
    options,
    deployable,
    described,
  );

  const pictures: Pictures = new Map();
  const classRecords = await Promise.all(
    classes.map(async ({ target, score, interval, repeats: values, strongest: evidence }) => {
      const picture = `triggers/${String(target).padStart(3, "0")}.png`;
      pictures.set(picture, await triggerPng(evidence.trigger));
      return {
        ...classReferenceOf(input.trusted.classNames, target),
        score,
        scoreInterval: interval,
        repeats: values,
        success: evidence.success,
        trigger: picture,
        kind: evidence.illustration ? ("illustration" as const) : evidence.trigger.kind,
      };
    }),
  );
  const samples = await takeSamples(
    context,
    { suspect: model, repaired: outcome.model },
    heldOut,
    { trigger: leading.strongest.trigger, target: leading.target },
    pictures,
  );
  const record: AuditRecord = {
    schemaVersion: AUDIT_SCHEMA_VERSION,
    document: "audit",
    ...decision,
    classes: classRecords,
    accuracy: { before: suspect.accuracy, after: chosen.accuracy },
    repairedModel: null,
    report: null,
    repair: describeRepair(outcome, options.allowedDrop),
    samples,
    differenceGain: DIFFERENCE_GAIN,
    screening: described,
    warnings: warningsFor(input.trusted, prepared, options.allowedDrop, outcome),
    model: prepared.described,
    data: describeData(input, prepared, "search triggers and tune the repair"),
    preprocessing: describePreprocessing(prepared.preflight),
    config: {
      effort: options.effort,
      audit: {
        ...options,
        repeats: total,
        copies: copiesFor(options),
        screen: screening?.survivors ?? 0,
      },
      repair: { name: repair.method.name, options: repair.config },
      detector: { name: detector.method.name, options: detector.config },
    },
    ...(await describeRun(context, input.seed, stages)),
  };
  return { record, pictures, repaired: outcome.model, file: input.file };
}
