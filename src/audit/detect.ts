import type { Detector } from "../detectors/detector.ts";
import { screenClasses } from "../inversion/screen-classes.ts";
import { suspected } from "../inversion/smallest.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { openReferences } from "./calibrate.ts";
import { classReferenceOf, decideOn } from "./decision.ts";
import { judge } from "./deploy.ts";
import { describePreprocessing, describeRun } from "./describe.ts";
import { DETECT_SCHEMA_VERSION, type DetectRecord } from "./detect-record.ts";
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
import { repairModel } from "./repair-model.ts";
import { detectAll, repeatsOf, searchAll } from "./repeats.ts";
import { describeScreening, screeningFor } from "./screening.ts";
import { Stages } from "./stages.ts";
import { warningsFor } from "./words.ts";

export interface DetectInput extends Subject {
  readonly detector: Configured<Detector>;
  /** Makes the copy that the suspect is compared with, for detectors that need one. */
  readonly repair?: Configured<Repair> | undefined;
  readonly seed: number;
}

/**
 * The verdict of an audit without its repair: searches triggers, measures them on held-out images and
 * draws the verdict.
 * @throws the errors of `prepare`; `CANCELLED`
 */
export async function detect(
  machine: RunContext,
  input: DetectInput,
  options: AuditOptions,
): Promise<DetectRecord> {
  const context = within(machine, options.memory);
  const stages = new Stages("detect", context);
  const total = repeatsFor(options);
  const wanted = scaled(input.detector, options.effort);
  const repair = input.repair && scaled(input.repair, options.effort);

  const purpose = repair ? "repair" : "search";
  const { prepared, references } = await stages.run("preflight", async (part) => ({
    prepared: await prepare(part, input, options.heldOut, purpose),
    references: await openReferences(part, input, options, purpose),
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
  const repaired =
    repair &&
    (await stages.run("repair", (part) =>
      repairModel(part, prepared, triggers, repair, options.allowedDrop),
    ));
  // Without a repair the suspect stands in, and nothing is said about a repaired model.
  const models = { model, repaired: repaired?.model ?? model, heldOut, examined };
  const { detections, accuracy } = await stages.run("measure", async (part) => ({
    detections: await detectAll(part, repeats, detector, models, found),
    accuracy: (await judge(part, { step: 0, loss: null, model }, heldOut, undefined)).accuracy,
  }));

  const described = describeScreening(examined, input.trusted.classNames);
  const about = { subject: input, prepared, detector, repair, references, examined };
  const { decision, classes } = await decideOn(
    stages,
    detections,
    { ...about, repaired },
    options,
    null,
    described,
  );
  return {
    schemaVersion: DETECT_SCHEMA_VERSION,
    document: "detect",
    ...decision,
    classes: classes.map(({ target, score, interval, repeats: values, strongest }) => ({
      ...classReferenceOf(input.trusted.classNames, target),
      score,
      scoreInterval: interval,
      repeats: values,
      success: {
        suspect: strongest.success.suspect,
        repaired: repaired ? strongest.success.repaired : null,
      },
    })),
    accuracy,
    screening: described,
    warnings: warningsFor(input.trusted, prepared, options.allowedDrop, repaired),
    model: prepared.described,
    data: describeData(input, prepared, "search triggers"),
    preprocessing: describePreprocessing(prepared.preflight),
    config: {
      effort: options.effort,
      detect: {
        ...options,
        repeats: total,
        copies: copiesFor(options),
        screen: screening?.survivors ?? 0,
      },
      detector: { name: detector.method.name, options: detector.config },
      repair: repair ? { name: repair.method.name, options: repair.config } : null,
    },
    ...(await describeRun(context, input.seed, stages)),
  };
}
