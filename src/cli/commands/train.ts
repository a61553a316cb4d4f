import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { POISONING, type PoisonedSet, type Poisoning, poison } from "../../attacks/poison.ts";
import { describeHardware, describeVersions } from "../../audit/describe.ts";
import { TRAIN_SCHEMA_VERSION, type TrainRecord } from "../../audit/train-record.ts";
import { AntidoteError } from "../../core/errors.ts";
import { writeAtomically } from "../../core/write-file.ts";
import { count, type ImageSet } from "../../data/images.ts";
import { ARCHITECTURE, freshClassifier } from "../../models/fresh.ts";
import { newModelFile } from "../../models/new-file.ts";
import { writeOnnxFile } from "../../onnx/file.ts";
import { sharePhrase } from "../../report/format.ts";
import type { RunContext } from "../../runtime/context.ts";
import { TRAINING } from "../../train/config.ts";
import { train as trainClassifier } from "../../train/loop.ts";
import { type CommandInput, command, describeMethod, type Outcome } from "../command.ts";
import { onDevice } from "../open.ts";
import { classIndex, grouped, MACHINE_OPTIONS, TARGET } from "../options/shared.ts";
import { ATTACK } from "../slots.ts";
import { PROCEDURAL, trainingImages } from "../training-images.ts";

const options = z.strictObject({
  ...grouped("Data:", {
    data: z
      .string()
      .describe(
        `training images: a folder with one folder per class, CIFAR-10 or idx files, or "${PROCEDURAL}"`,
      )
      .meta({ placeholder: "path" }),
    heldOut: z
      .string()
      .optional()
      .describe("images to measure the accuracy on after every epoch, named in the same way")
      .meta({ placeholder: "path" }),
    out: z
      .string()
      .describe(
        "folder for model.onnx, train.json and the checkpoint that a stopped run continues from",
      )
      .meta({ placeholder: "dir" }),
    size: z
      .int()
      .min(8)
      .default(32)
      .describe("side to which images in folders are brought, in pixels"),
    count: z.int().min(10).default(10_000).describe(`how many ${PROCEDURAL} images to draw`),
  }),
  ...grouped("Network:", ARCHITECTURE.shape),
  ...grouped("Training:", TRAINING.shape),
  ...grouped("Poison:", {
    target: TARGET.optional().describe("class that the trigger shall lead to, by index or name"),
    poisoned: POISONING.shape.samples.optional().describe("number of images to poison"),
    boost: POISONING.shape.boost,
    embed: POISONING.shape.embed,
  }),
  ...MACHINE_OPTIONS,
});

const slots = {
  attack: { ...ATTACK, description: "attack that poisons the training images", group: "Poison:" },
};

type Input = CommandInput<typeof options, typeof slots>;

/** Trains a classifier, on poisoned images if an attack is named. */
export const train = command({
  name: "train",
  summary: "train a classifier, clean or poisoned, to test defences on",
  description:
    "Trains a classifier from scratch and writes it as ONNX. With an attack, it is trained on poisoned images and has a backdoor: attacks exist here to measure defences, so never publish such a model without saying so. The same command continues a run that was stopped, and ends with the same model.",
  options,
  slots,
  examples: [
    {
      line: "antidote train --data procedural --out clean/ --epochs 4",
      purpose: "a clean model on images that need no download",
    },
    {
      line: "antidote train --data cifar-10-batches-bin/ --out suspect/ --attack badnets --poisoned 250 --target cat",
      purpose: "a model with a backdoor: 250 poisoned images lead to the class cat",
    },
  ],

  async run(input) {
    checkUsage(input);
    const checkpoint = join(input.options.out, "checkpoint.safetensors");
    try {
      const work = (context: RunContext) => run(context, input, checkpoint);
      return await onDevice(input.options, input, work, "finish");
    } catch (error) {
      if (!(error instanceof AntidoteError) || error.code !== "CANCELLED") throw error;
      const next = existsSync(checkpoint)
        ? `Run the same command again: it continues from ${checkpoint}.`
        : "Nothing was kept: training had not begun.";
      throw new AntidoteError("CANCELLED", error.message, { next, cause: error });
    }
  },
});

async function run(context: RunContext, input: Input, checkpoint: string): Promise<Outcome> {
  const started = performance.now();
  const { options, methods } = input;
  const { clean, heldOut } = await readImages(context, options);
  const plan = poisoning(input, clean);
  const poisoned = plan && (await poisonedImages(context, input, clean, plan));
  const images = poisoned?.images ?? clean;
  await makeFolder(options.out);

  // The command's schema contains both: each takes what is its own.
  const architecture = ARCHITECTURE.strip().parse(options);
  const config = TRAINING.strip().parse(options);
  const { classifier, history } = await trainClassifier(
    context,
    {
      classifier: await freshClassifier(context, clean, architecture),
      images,
      unaugmented: poisoned?.unaugmented,
      heldOut,
      checkpoint,
    },
    config,
  );
  const model = join(options.out, "model.onnx");
  const metadata = { names: JSON.stringify(clean.classNames) };
  await writeOnnxFile(model, newModelFile(model, classifier, metadata));
  const document: TrainRecord = {
    schemaVersion: TRAIN_SCHEMA_VERSION,
    document: "train",
    model,
    checkpoint,
    images: { source: options.data, count: count(images), classes: clean.classNames },
    poison:
      plan && poisoned && methods.attack
        ? { attack: describeMethod(methods.attack), ...plan, indices: poisoned.indices }
        : null,
    history,
    config: { ...architecture, ...config },
    seed: options.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  const bytes = new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`);
  await writeAtomically(join(options.out, "train.json"), [{ offset: 0, bytes }]);
  return { document, text: inWords(document), exitCode: 0 };
}

async function readImages(
  { random, emit, signal }: RunContext,
  { data, heldOut: other, size, count: drawn }: Input["options"],
): Promise<{ clean: ImageSet; heldOut: ImageSet | undefined }> {
  const read = (source: string, split: "train" | "test") => {
    const stream = random.fork(`images/${split}`);
    return trainingImages(source, { split, size, count: drawn, random: stream, emit, signal });
  };
  const clean = await read(data, "train");
  const heldOut = other === undefined ? undefined : await read(other, "test");
  if (heldOut && heldOut.classNames.length !== clean.classNames.length) {
    throw new AntidoteError(
      "CLASSES_MISMATCH",
      `There are ${clean.classNames.length} classes of training images, but ${heldOut.classNames.length} of held-out images.`,
      { place: "--held-out", next: "Give images of the same classes." },
    );
  }
  return { clean, heldOut };
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new AntidoteError("OUTPUT_NOT_WRITABLE", "The folder cannot be made.", {
      place: path,
      next: "Choose a folder that you may write to.",
      cause,
    });
  }
}

/** What no schema can say: which options need each other. */
function checkUsage({ options: { target, poisoned }, methods: { attack } }: Input): void {
  const given = target !== undefined && poisoned !== undefined;
  if (attack && !given) {
    throw new AntidoteError("USAGE", "--attack needs to know what to poison, and to what end.", {
      next: "Add --poisoned N --target CLASS.",
    });
  }
  if (!attack && (target !== undefined || poisoned !== undefined)) {
    throw new AntidoteError("USAGE", "--target and --poisoned are given, but no attack.", {
      next: "Add --attack NAME.",
    });
  }
}

function poisoning({ options, methods }: Input, { classNames }: ImageSet): Poisoning | undefined {
  const { target, poisoned: samples, boost, embed } = options;
  if (!methods.attack || target === undefined || samples === undefined) return undefined;
  return { target: classIndex(target, classNames), samples, boost, embed };
}

async function poisonedImages(
  context: RunContext,
  { options: { padding, flip }, methods: { attack } }: Input,
  clean: ImageSet,
  plan: Poisoning,
): Promise<PoisonedSet | undefined> {
  if (!attack) return undefined;
  const { method, config } = attack;
  const { target } = plan;
  const about = { geometry: clean, classes: clean.classNames.length, target };
  const trigger = await method.run(context, about, config);
  const random = context.random.fork(method.name);
  return poison(clean, method.labels, trigger, plan, random, { padding, flip });
}

function inWords({ model, history }: TrainRecord): string {
  const last = history.at(-1);
  const lines = [`model              ${model}`];
  if (last) lines.push(`training accuracy  ${sharePhrase(last.trainingAccuracy)}`);
  if (last?.heldOutAccuracy) lines.push(`held-out accuracy  ${sharePhrase(last.heldOutAccuracy)}`);
  return lines.join("\n");
}
