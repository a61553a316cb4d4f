import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { evaluate } from "../../audit/evaluate.ts";
import { auditOptions } from "../../audit/options.ts";
import { trainRecord } from "../../audit/train-record.ts";
import { silent } from "../../core/progress.ts";
import type { Proportion } from "../../core/statistics.ts";
import type { FloatTensor } from "../../core/tensor.ts";
import { readOverlay, stampOverlay } from "../../data/overlay.ts";
import { sharePhrase } from "../../report/format.ts";
import type { RunContext } from "../../runtime/context.ts";
import { command, defaultChoice } from "../command.ts";
import { columns } from "../help.ts";
import { onDevice, openSubject } from "../open.ts";
import { grouped, MACHINE_OPTIONS } from "../options/shared.ts";
import { DETECTOR, REPAIR } from "../slots.ts";
import { audit } from "./audit.ts";

/** The example that ships with the package. */
const EXAMPLE = fileURLToPath(new URL("../../../examples/", import.meta.url));
const SUSPECT = join(EXAMPLE, "suspect.onnx");
const TRUSTED = join(EXAMPLE, "trusted");
/** The trigger that was planted; no audit gets to see it. */
const TRIGGER = join(EXAMPLE, "trigger.png");
/** How the suspect was trained. */
const MADE = join(EXAMPLE, "train.json");

const { effort } = auditOptions.shape;

/** Audits the example, and shows beside the verdict what was really planted. */
export const demo = command({
  name: "demo",
  summary: "audit an example with a known backdoor, in about a minute",
  description:
    "Audits a small model that was poisoned on purpose and ships with Antidote, then tries the trigger that was planted on it before and after the repair. Exits with 0 if the backdoor was found.",
  options: z.strictObject({
    ...grouped("Audit:", {
      out: z
        .string()
        .min(1)
        .default("antidote-demo")
        .describe("folder for report and repaired model")
        .meta({ placeholder: "dir" }),
      effort: effort.removeDefault().default("quick").describe(effort.description!),
    }),
    ...MACHINE_OPTIONS,
  }),
  slots: {},
  examples: [{ line: "antidote demo", purpose: "see what an audit looks like" }],

  async run({ options, signal, emit }) {
    const auditing = audit.options.parse({ ...options, images: TRUSTED });
    const methods = { detector: defaultChoice(DETECTOR), repair: defaultChoice(REPAIR) };
    const input = { argument: SUSPECT, options: auditing, methods, signal, emit };
    const outcome = await audit.run(input);
    if (outcome.failure) return outcome;
    const repaired = join(options.out, "repaired.onnx");
    const planted = await onDevice(options, { signal, emit: silent }, async (context) => ({
      before: await successOf(context, SUSPECT),
      after: await successOf(context, repaired),
    }));
    const facts = columns([
      ["planted trigger", relative("", TRIGGER)],
      ["before repair", `works on ${sharePhrase(planted.before)} of other classes`],
      ["after repair", `works on ${sharePhrase(planted.after)}`],
      ["now open", join(options.out, "report.html")],
    ]);
    const text = `${outcome.text}\n\nThis model was poisoned on purpose. The trigger that was really planted:\n${facts}`;
    return { document: outcome.document, text, exitCode: outcome.exitCode === 1 ? 0 : 1 };
  },
});

/** How often the planted trigger works on the trusted images. */
async function successOf(context: RunContext, path: string): Promise<Proportion> {
  const subject = await openSubject(context, path, { images: TRUSTED });
  const { model, trusted: images } = subject;
  const overlay = await readOverlay(TRIGGER, "blend", model.image);
  const { poison } = trainRecord.parse(JSON.parse(await readFile(MADE, "utf8")));
  const trigger = {
    stamp: (pixels: FloatTensor) => stampOverlay(overlay, pixels),
    target: poison!.target,
  };
  return (await evaluate(context, { model, images, trigger })).attack!.success;
}
