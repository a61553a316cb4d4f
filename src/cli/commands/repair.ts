import { z } from "zod";
import { findModel } from "../../audit/model-folder.ts";
import { auditOptions } from "../../audit/options.ts";
import { provenance } from "../../audit/provenance.ts";
import { repair as repairModel } from "../../audit/repair.ts";
import type { RepairRecord } from "../../audit/repair-record.ts";
import { AntidoteError } from "../../core/errors.ts";
import { assertApart, assertWritable } from "../../core/write-file.ts";
import { exportModel } from "../../onnx/export.ts";
import { writeOnnxFile } from "../../onnx/file.ts";
import { percent, pointsInterval, sharePhrase, viewsInWords } from "../../report/format.ts";
import { visible } from "../../report/visible.ts";
import { className } from "../../report/words.ts";
import { command, configured } from "../command.ts";
import { columns } from "../help.ts";
import { onDevice, openSubject } from "../open.ts";
import {
  grouped,
  IMAGE_OPTIONS,
  MACHINE_OPTIONS,
  MODEL_OPTIONS,
  UNLABELLED_OPTION,
} from "../options/shared.ts";
import { REPAIR } from "../slots.ts";

/** A repair gives no verdict: it calibrates nothing and has a number of searches of its own. */
const REPAIR_OPTIONS = auditOptions.omit({ repeats: true, copies: true, references: true });

/** Repairs a model and writes it. */
export const repair = command({
  name: "repair",
  summary: "remove backdoors from a model and write it",
  description:
    "Repairs a model with trusted images, whether or not it has a backdoor, and writes the checkpoint that a defender would ship: among those that keep the allowed accuracy, the one on which the most suspicious trigger that stands out works least; where none stands out, the latest whose accuracy is within a standard error of the best. The result is the same network with other weights; its metadata say how it was made. Exits with 2 if every checkpoint costs more accuracy than allowed; one of those that lose least is written then, the latest within a standard error of the best.",
  argument: {
    name: "model",
    description:
      "image classifier: an ONNX file, weights of a ResNet-18 (.safetensors), or a folder with either",
  },
  options: z.strictObject({
    ...IMAGE_OPTIONS,
    ...UNLABELLED_OPTION,
    ...MODEL_OPTIONS,
    ...grouped("Repair:", {
      out: z
        .string()
        .min(1)
        .describe("where to write the repaired model")
        .meta({ placeholder: "onnx" }),
      ...REPAIR_OPTIONS.shape,
    }),
    ...MACHINE_OPTIONS,
  }),
  slots: { repair: REPAIR },
  examples: [
    {
      line: "antidote repair suspect.onnx --images trusted/ --out repaired.onnx",
      purpose: "repair a model",
    },
    {
      line: "antidote repair suspect.onnx --images trusted/ --out repaired.onnx --repair pivotal-tuning --repair.steps 500",
      purpose: "the same with another method and fewer steps",
    },
  ],

  async run({ argument, options, methods, signal, emit }) {
    await assertApart(options.out, [(await findModel(argument)).path]);
    await assertWritable(options.out);
    return await onDevice(options, { signal, emit }, async (context) => {
      const subject = await openSubject(context, argument, options);
      const input = { ...subject, repair: configured(methods.repair), seed: options.seed };
      const config = REPAIR_OPTIONS.strip().parse(options);
      const { record, repaired } = await repairModel(context, input, config);
      const exitCode = record.repair.deployable ? 0 : TOO_COSTLY;
      const metadata = provenance({ ...record, repair: record.config.repair });
      try {
        const model = exportModel(subject.file, repaired.changes, metadata);
        await writeOnnxFile(options.out, model);
      } catch (failure) {
        if (!(failure instanceof AntidoteError)) throw failure;
        return { document: record, text: inWords(record), exitCode, failure };
      }
      const document: RepairRecord = { ...record, repairedModel: options.out };
      return { document, text: inWords(document), exitCode };
    });
  },
});

/** Exit code where every checkpoint costs more accuracy than allowed: somebody has to decide whether to use the model. */
const TOO_COSTLY = 2;

/** What `antidote repair` prints. */
export function inWords({
  repair,
  accuracy,
  trigger,
  warnings,
  repairedModel,
}: RepairRecord): string {
  const curve = repair.curve.map(({ step, heldOutAccuracy, loss, chosen }): [string, string] => {
    const name = step === 0 ? "suspect" : `step ${step}`;
    const numbers = `${percent(heldOutAccuracy.value).padStart(6)}  ${loss?.toFixed(3) ?? ""}`;
    return [name, chosen ? `${numbers.padEnd(15)}  ← chosen` : numbers];
  });
  const rows: [string, string][] = [
    ["accuracy", `${percent(accuracy.before.value)} → ${sharePhrase(accuracy.after)}`],
    ["drop", `${pointsInterval(repair.drop)} on ${viewsInWords(repair.views)}`],
    ["trigger", trigger ? movedInWords(trigger) : "none stands out; accuracy alone has judged"],
    ...(repair.deployable
      ? []
      : [
          [
            "warning",
            "No checkpoint keeps the allowed accuracy; this is one of those that lose least.",
          ] as [string, string],
        ]),
    ...warnings.map((text): [string, string] => ["warning", text]),
    ...(repairedModel === null
      ? []
      : [["repaired model", visible(repairedModel)] as [string, string]]),
  ];
  return ["Accuracy on held-out images, and loss", columns(curve), "", columns(rows)].join("\n");
}

/** "97.3% → 0% (0 to 2.5%) of 150 images of other classes → class 3" */
function movedInWords({
  targetClass,
  before,
  after,
}: NonNullable<RepairRecord["trigger"]>): string {
  return `${percent(before.value)} → ${sharePhrase(after)} of other classes → ${className(targetClass)}`;
}
