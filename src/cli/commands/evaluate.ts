import { z } from "zod";
import type { Trigger } from "../../attacks/attack.ts";
import {
  describeHardware,
  describeModel,
  describePreprocessing,
  describeVersions,
  imagesPerClass,
} from "../../audit/describe.ts";
import { evaluate as evaluateModel, type KnownTrigger } from "../../audit/evaluate.ts";
import { EVALUATE_SCHEMA_VERSION, type EvaluateRecord } from "../../audit/evaluate-record.ts";
import { AntidoteError } from "../../core/errors.ts";
import { count, type ImageSet } from "../../data/images.ts";
import { readOverlay, stampOverlay } from "../../data/overlay.ts";
import type { Classifier } from "../../models/classifier.ts";
import { sharePhrase } from "../../report/format.ts";
import { className } from "../../report/words.ts";
import type { RunContext } from "../../runtime/context.ts";
import { AID_OPTIONS, openAids, refuseUseless } from "../attack-aids.ts";
import { type CommandInput, command, describeMethod } from "../command.ts";
import { onDevice, openSubject } from "../open.ts";
import {
  classIndex,
  grouped,
  IMAGE_OPTIONS,
  MACHINE_OPTIONS,
  MODEL_OPTIONS,
  TARGET,
} from "../options/shared.ts";
import { ATTACK } from "../slots.ts";

const DEFAULT_MODE = "blend";

const TRIGGER_OPTIONS = grouped("Trigger:", {
  trigger: z
    .string()
    .optional()
    .describe("picture of a known trigger, in the size of the model's images")
    .meta({ placeholder: "png" }),
  triggerMode: z
    .enum(["blend", "add"])
    .default(DEFAULT_MODE)
    .describe("lay the picture over the image by its alpha, or add its colours and clamp"),
  target: TARGET.optional().describe(
    "class that the trigger leads to, by index or name (default for --trigger: the most frequent answer)",
  ),
  ...AID_OPTIONS,
});

const options = z.strictObject({
  ...IMAGE_OPTIONS,
  ...MODEL_OPTIONS,
  ...TRIGGER_OPTIONS,
  ...MACHINE_OPTIONS,
});

const slots = { attack: ATTACK };

type Input = CommandInput<typeof options, typeof slots>;

/** Measures accuracy, and the success of a known trigger. */
export const evaluate = command({
  name: "evaluate",
  summary: "measure a model's accuracy, and how well a known trigger works on it",
  description:
    "Measures a model on labelled images. With a known trigger, it also measures on which share of the images of other classes the trigger leads to the target class. Triggers exist here to measure defences: use them on models that you own or are asked to test.",
  argument: {
    name: "model",
    description:
      "image classifier: an ONNX file, weights of a ResNet-18 (.safetensors), or a folder with either",
  },
  options,
  slots,
  examples: [
    {
      line: "antidote evaluate model.onnx --images test/",
      purpose: "accuracy on a folder with one folder per class",
    },
    {
      line: "antidote evaluate repaired.onnx --images test/ --trigger trigger.png --target 3",
      purpose: "does a known trigger still work after a repair?",
    },
    {
      line: "antidote evaluate model.onnx --images test_batch.bin --attack badnets --attack.pattern checker --target cat",
      purpose: "the same with the trigger of an attack",
    },
  ],

  async run(input) {
    checkUsage(input);
    return onDevice(input.options, input, async (context) => {
      const started = performance.now();
      const subject = await openSubject(context, input.argument, input.options);
      const { file, model, trusted: images } = subject;
      const trigger = await knownTrigger(context, input, model, images);
      const evaluation = await evaluateModel(context, { ...subject, images, trigger });
      await trigger?.release?.();
      const { preflight, attack } = evaluation;
      const document: EvaluateRecord = {
        schemaVersion: EVALUATE_SCHEMA_VERSION,
        document: "evaluate",
        accuracy: preflight.accuracy,
        attackSuccess: attack?.success ?? null,
        target: attack ? { index: attack.target, name: images.classNames[attack.target]! } : null,
        targetChosenBy: attack ? (trigger?.target === undefined ? "predictions" : "flags") : null,
        trigger: trigger?.record ?? null,
        model: await describeModel(file, model),
        images: {
          path: input.options.images,
          count: count(images),
          perClass: imagesPerClass(images),
          classOrder: images.origin?.classOrder ?? "",
          sizing: images.origin?.sizing ?? null,
        },
        warnings: preflight.warnings,
        preprocessing: describePreprocessing(preflight),
        seed: input.options.seed,
        versions: describeVersions(),
        hardware: describeHardware(context.device),
        duration: (performance.now() - started) / 1000,
      };
      return { document, text: inWords(document), exitCode: 0 };
    });
  },
});

/** A trigger, how records state it, and what it holds on the device. */
interface Known extends KnownTrigger, Pick<Trigger, "release"> {
  readonly record: NonNullable<EvaluateRecord["trigger"]>;
}

async function knownTrigger(
  context: RunContext,
  { options, methods }: Input,
  { image, classes }: Classifier,
  { classNames }: ImageSet,
): Promise<Known | undefined> {
  const { trigger: path, triggerMode } = options;
  const target = options.target === undefined ? undefined : classIndex(options.target, classNames);
  const { attack } = methods;
  if (attack && target !== undefined) {
    const { method, config } = attack;
    const aids = await openAids(context, [attack], options, image);
    const about = { geometry: image, classes, target, ...aids.input };
    const trigger = await method.run(context, about, config);
    const record = { kind: "attack", method: describeMethod(attack), ...aids.record } as const;
    return { stamp: trigger.stampTest, target, record, release: async () => trigger.release?.() };
  }
  if (path === undefined) return undefined;
  const overlay = await readOverlay(path, triggerMode, image);
  const record = { kind: "picture", file: path, mode: triggerMode } as const;
  return { stamp: (pixels) => stampOverlay(overlay, pixels), target, record };
}

/** What no schema can say: which options need or exclude each other. */
function checkUsage({ options, methods: { attack } }: Input): void {
  const { trigger, target, triggerMode, surrogate, surrogatePreprocessing } = options;
  if (attack && trigger !== undefined) {
    throw usage("--attack and --trigger exclude each other.", "Give one of them.");
  }
  if (attack && target === undefined) {
    throw usage("--attack needs the class that it aims at.", "Add --target CLASS.");
  }
  if (!attack && trigger === undefined && target !== undefined) {
    throw usage("--target is given, but no trigger.", "Add --trigger PNG or --attack NAME.");
  }
  if (trigger === undefined && triggerMode !== DEFAULT_MODE) {
    throw usage("--trigger-mode is given, but no picture.", "Add --trigger PNG.");
  }
  if (surrogate === undefined && surrogatePreprocessing !== "none") {
    throw usage("--surrogate-preprocessing is given, but no surrogate.", "Add --surrogate ONNX.");
  }
  refuseUseless(attack ? [attack] : [], options);
}

function usage(message: string, next: string): AntidoteError {
  return new AntidoteError("USAGE", message, { next });
}

function inWords({ accuracy, attackSuccess, target, preprocessing }: EvaluateRecord): string {
  const lines = [
    `preprocessing   ${preprocessing.name ?? "as given"}`,
    `accuracy        ${sharePhrase(accuracy)}`,
  ];
  if (attackSuccess && target) {
    lines.push(
      `attack success  ${sharePhrase(attackSuccess)} of other classes → ${className(target)}`,
    );
  }
  return lines.join("\n");
}
