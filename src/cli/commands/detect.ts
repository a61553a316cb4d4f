import { z } from "zod";
import { detect as detectBackdoor } from "../../audit/detect.ts";
import type { DetectRecord } from "../../audit/detect-record.ts";
import { auditOptions } from "../../audit/options.ts";
import { leadingClass } from "../../audit/record.ts";
import { COMPARED_REPAIR } from "../../repairs/index.ts";
import { percent, score, scoreInterval, sharePhrase } from "../../report/format.ts";
import { className, HEADLINES } from "../../report/words.ts";
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
import { comparedRepair, DETECTOR, REPAIR } from "../slots.ts";
import { VERDICT_EXIT_CODES } from "../verdict.ts";

const { default: _, ...slot } = REPAIR;

/** Searches a model for a backdoor and gives a verdict, without a repaired model or a report. */
export const detect = command({
  name: "detect",
  summary: "search a model for a backdoor, without a report",
  description:
    "Searches for every class a trigger that leads to it and gives the verdict of an audit. It writes no files. Detectors that compare the model with a repaired copy have one made; the others need none.",
  argument: {
    name: "model",
    description:
      "image classifier: an ONNX file, weights of a ResNet-18 (.safetensors), or a folder with either",
  },
  options: z.strictObject({
    ...IMAGE_OPTIONS,
    ...UNLABELLED_OPTION,
    ...MODEL_OPTIONS,
    ...grouped("Detection:", auditOptions.shape),
    ...MACHINE_OPTIONS,
  }),
  slots: {
    detector: DETECTOR,
    repair: {
      ...slot,
      description: `repair that makes a copy to compare with (default: ${COMPARED_REPAIR} if the detector needs one)`,
    },
  },
  examples: [
    {
      line: "antidote detect suspect.onnx --images trusted/",
      purpose: "the verdict alone",
    },
    {
      line: "antidote detect suspect.onnx --images trusted/ --detector calibrated-trigger-inversion --repair pivotal-tuning",
      purpose: "another detector, over another repair",
    },
  ],

  run({ argument, options, methods, signal, emit }) {
    return onDevice(options, { signal, emit }, async (context) => {
      const wanted = methods.detector.method.needsRepair ? comparedRepair() : undefined;
      const repair = methods.repair ?? wanted;
      const input = {
        ...(await openSubject(context, argument, options)),
        detector: configured(methods.detector),
        repair: repair && configured(repair),
        seed: options.seed,
      };
      const document = await detectBackdoor(context, input, auditOptions.strip().parse(options));
      const exitCode = VERDICT_EXIT_CODES[document.verdict];
      return { document, text: inWords(document), exitCode };
    });
  },
});

/** How many classes were not searched in full. */
function screenedOut({ screening }: DetectRecord): [string, string][] {
  if (!screening) return [];
  const { survivors, controls, screenedOut } = screening;
  return [
    [
      "screening",
      `${screenedOut.length} classes screened out; ${survivors.length} picked, ${controls.length} drawn at random (--screen 0 searches all)`,
    ],
  ];
}

function inWords(record: DetectRecord): string {
  const leading = leadingClass(record);
  const { suspect, repaired } = leading.success;
  const { noEvidenceBelow, backdooredFrom } = record.rule;
  const after = repaired ? ` → ${percent(repaired.value)} on a repaired copy` : "";
  const interval = scoreInterval(record.scoreInterval);
  const thresholds = `no evidence below ${score(noEvidenceBelow)}, backdoor from ${score(backdooredFrom)}`;
  const rows: [string, string][] = [
    ["verdict", HEADLINES[record.verdict]],
    [record.targetClass ? "target" : "strongest", className(leading)],
    ["score", `${score(record.score)} (${interval}); ${thresholds}`],
    ["trigger", `works on ${sharePhrase(suspect)} of other classes${after}`],
    ["accuracy", sharePhrase(record.accuracy)],
    ...screenedOut(record),
    ...record.reasons.map((text, at): [string, string] => [at === 0 ? "why" : "", text]),
    ...record.warnings.map((text): [string, string] => ["warning", text]),
    ["not tested", record.notTested.join(" ")],
  ];
  return columns(rows);
}
