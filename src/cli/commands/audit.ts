import { basename, resolve } from "node:path";
import { z } from "zod";
import { type AuditResult, audit as auditModel } from "../../audit/audit.ts";
import { auditOptions } from "../../audit/options.ts";
import { AntidoteError } from "../../core/errors.ts";
import { COMPARED_REPAIR } from "../../repairs/index.ts";
import { AuditFolder } from "../../report/folder.ts";
import { verdictText } from "../../report/text.ts";
import { command, configured, type Outcome } from "../command.ts";
import { onDevice, openSubject } from "../open.ts";
import {
  grouped,
  IMAGE_OPTIONS,
  MACHINE_OPTIONS,
  MODEL_OPTIONS,
  UNLABELLED_OPTION,
} from "../options/shared.ts";
import { comparedRepair, DETECTOR, REPAIR } from "../slots.ts";
import { VERDICT_EXIT_CODES } from "../verdict.ts";

/** Searches a model for a backdoor, repairs it, and reports. */
export const audit = command({
  name: "audit",
  summary: "search a model for a backdoor, repair it, and write a report",
  description:
    "Searches for every class a trigger that leads to it, repairs the model, measures what is left, and gives a verdict. Writes a folder with report.html (one page that needs nothing else), report.json, pictures of the triggers, and repaired.onnx, which is the same network with other weights. The model's own code is never run; nothing is sent anywhere.",
  argument: {
    name: "model",
    description:
      "image classifier: an ONNX file, weights of a ResNet-18 (.safetensors), or a folder with either",
  },
  options: z.strictObject({
    ...IMAGE_OPTIONS,
    ...UNLABELLED_OPTION,
    ...MODEL_OPTIONS,
    ...grouped("Audit:", {
      out: z
        .string()
        .min(1)
        .optional()
        .describe("folder for report and repaired model (default: antidote-MODEL)")
        .meta({ placeholder: "dir" }),
      ...auditOptions.shape,
    }),
    ...MACHINE_OPTIONS,
  }),
  slots: {
    detector: DETECTOR,
    repair: {
      ...REPAIR,
      description: `${REPAIR.description}; if none is named, ${COMPARED_REPAIR} beside a detector that compares the model with the repaired one`,
    },
  },
  examples: [
    {
      line: "antidote audit suspect.onnx --images trusted/",
      purpose: "audit a model with a folder of trusted images, one folder per class",
    },
    {
      line: "antidote audit suspect.onnx --images trusted/ --classes labels.txt --effort quick",
      purpose: "a first look, with the model's class names in a file",
    },
    {
      line: "antidote audit suspect.onnx --images trusted/ --json --quiet > audit.json",
      purpose: "for a pipeline: one JSON document, and the verdict as exit code",
    },
  ],

  async run({ argument, options, methods, signal, emit }) {
    const out = options.out ?? defaultFolder(argument);
    await using folder = await AuditFolder.claim(out, [argument, ...options.references]);
    return await onDevice(options, { signal, emit }, async (context) => {
      // The usual repair leaves a model as it is in which nothing stands out, and a model compared with itself shows nothing.
      const compares = methods.detector.method.needsRepair && !methods.repair.isStated;
      const input = {
        ...(await openSubject(context, argument, options)),
        repair: configured(compares ? comparedRepair() : methods.repair),
        detector: configured(methods.detector),
        seed: options.seed,
      };
      // The command's schema contains the audit's, which takes what is its own.
      const result = await auditModel(context, input, auditOptions.strip().parse(options));
      return writtenTo(folder, result);
    });
  },
});

/** "antidote-suspect" for "models/suspect.onnx". */
function defaultFolder(model: string): string {
  return `antidote-${basename(resolve(model)).replace(/\.(onnx|safetensors)$/i, "")}`;
}

/** Writes the audit's folder. If that fails, the verdict is printed all the same. */
async function writtenTo(folder: AuditFolder, result: AuditResult): Promise<Outcome> {
  const exitCode = VERDICT_EXIT_CODES[result.record.verdict];
  try {
    const document = await folder.write(result);
    return { document, text: verdictText(document).trimEnd(), exitCode };
  } catch (failure) {
    if (!(failure instanceof AntidoteError)) throw failure;
    const { record } = result;
    return { document: record, text: verdictText(record).trimEnd(), exitCode, failure };
  }
}
