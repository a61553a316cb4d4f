import { measureTriggers } from "../detectors/measure.ts";
import { smallestTrigger } from "../detectors/smallest-trigger.ts";
import { screenClasses } from "../inversion/screen-classes.ts";
import { STARTS, suspected } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import { checkReplaceable } from "../onnx/export.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { describePreprocessing, describeRun } from "./describe.ts";
import { announce } from "./estimate.ts";
import { fitting, within } from "./memory.ts";
import { type AuditOptions, type Configured, scaled } from "./options.ts";
import { describeData, prepare, type Subject } from "./prepare.ts";
import { describeRepair, repairModel } from "./repair-model.ts";
import { REPAIR_SCHEMA_VERSION, type RepairRecord } from "./repair-record.ts";
import { repeatsOf, searchAll } from "./repeats.ts";
import { screeningFor } from "./screening.ts";
import { Stages } from "./stages.ts";
import { warningsFor } from "./words.ts";

export interface RepairInput extends Subject {
  readonly repair: Configured<Repair>;
  readonly seed: number;
}

/**
 * Repairs a classifier as an audit does, without a verdict: searches the smallest triggers, tunes, and
 * chooses the checkpoint on which the most suspicious one that stands out works least within the allowed drop.
 * @returns the record with `repairedModel` still null, and the chosen checkpoint
 * @throws the errors of `checkReplaceable` and `prepare`; `CANCELLED`
 */
export async function repair(
  machine: RunContext,
  input: RepairInput,
  options: Omit<AuditOptions, "repeats" | "copies" | "references">,
): Promise<{ readonly record: RepairRecord; readonly repaired: Classifier }> {
  const context = within(machine, options.memory);
  const stages = new Stages("repair", context);
  const method = scaled(input.repair, options.effort);
  const search = smallestTrigger.config.parse({});
  const wanted = scaled({ method: smallestTrigger, config: search }, options.effort);

  checkReplaceable(input.file, input.model.weights.keys());
  const prepared = await stages.run("preflight", (part) => prepare(part, input, options.heldOut));
  const { model, tuning, heldOut } = prepared;
  const detector = await fitting(wanted, model, options.memory);
  const screening = await screeningFor(options, detector, model);
  const plan = { detector, repair: method, repeats: STARTS, screening };
  await announce(context, stages, plan, prepared, options.effort);

  const examined =
    screening &&
    (await stages.run("screen", (part) => screenClasses(part, model, tuning, screening)));
  const triggers = await stages.run("search", async (part) => {
    const repeats = repeatsOf(context, tuning, STARTS);
    const found = await searchAll(part, repeats, detector, model, examined);
    return found.flatMap((triggers) => suspected(triggers!));
  });
  const outcome = await stages.run("repair", (part) =>
    repairModel(part, prepared, triggers, method, options.allowedDrop),
  );
  const { suspect, chosen, probe } = outcome;
  const measured = await stages.run("measure", async (part) => {
    const models = { model, repaired: outcome.model, search: tuning, heldOut };
    return probe ? measureTriggers(part, models, [probe]) : [];
  });
  const [trigger = null] = measured.map(({ target, success }) => ({
    targetClass: { index: target, name: input.trusted.classNames[target]! },
    before: success.suspect,
    after: success.repaired,
  }));
  const record: RepairRecord = {
    schemaVersion: REPAIR_SCHEMA_VERSION,
    document: "repair",
    repairedModel: null,
    accuracy: { before: suspect.accuracy, after: chosen.accuracy },
    repair: describeRepair(outcome, options.allowedDrop),
    trigger,
    warnings: warningsFor(input.trusted, prepared, options.allowedDrop, outcome),
    model: prepared.described,
    data: describeData(input, prepared, "search triggers and tune the repair"),
    preprocessing: describePreprocessing(prepared.preflight),
    config: {
      effort: options.effort,
      options,
      repair: { name: method.method.name, options: method.config },
      search: { name: detector.method.name, options: detector.config },
    },
    ...(await describeRun(context, input.seed, stages)),
  };
  return { record, repaired: outcome.model };
}
