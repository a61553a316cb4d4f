import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { describeHardware, describeVersions } from "../../audit/describe.ts";
import { within } from "../../audit/memory.ts";
import { openPreprocessed } from "../../audit/open.ts";
import { TRAIN_SCHEMA_VERSION, type TrainRecord } from "../../audit/train-record.ts";
import { AntidoteError } from "../../core/errors.ts";
import { assertApart, makeResultFolder, writeJson } from "../../core/write-file.ts";
import { assertAlike } from "../../data/alike.ts";
import { count, type ImageSet } from "../../data/images.ts";
import { trainingImages } from "../../data/training-images.ts";
import type { Classifier } from "../../models/classifier.ts";
import { ARCHITECTURE, freshClassifier } from "../../models/fresh.ts";
import { newModelFile } from "../../models/new-file.ts";
import { PREPROCESSING_NAME, pretrainedClassifier } from "../../models/pretrained.ts";
import { writeOnnxFile } from "../../onnx/file.ts";
import { sharePhrase } from "../../report/format.ts";
import type { RunContext } from "../../runtime/context.ts";
import { RECIPE, recipeFor } from "../../train/config.ts";
import { train as trainClassifier } from "../../train/loop.ts";
import { refuseUseless } from "../attack-aids.ts";
import { type CommandInput, command, type Outcome } from "../command.ts";
import { intrusionInto } from "../intrusion.ts";
import { onDevice } from "../open.ts";
import { grouped, MACHINE_OPTIONS, MODEL_OPTIONS } from "../options/shared.ts";
import { POISON_OPTIONS, requestedPoison } from "../poisoning.ts";
import { byKind, TRAINING_ATTACK } from "../slots.ts";
import { SOURCE_OPTIONS } from "../training-images.ts";

const options = z.strictObject({
  ...SOURCE_OPTIONS,
  ...grouped("Data:", {
    heldOut: z
      .string()
      .optional()
      .describe("images to measure the accuracy on after every epoch, named as --data")
      .meta({ placeholder: "path" }),
    out: z
      .string()
      .min(1)
      .describe(
        "folder for model.onnx, train.json and the checkpoint that a stopped run continues from",
      )
      .meta({ placeholder: "dir" }),
    storage: z
      .enum(["float32", "float16"])
      .default("float32")
      .describe(
        "type in which model.onnx stores the weights; float16 rounds them to half the size",
      ),
  }),
  ...grouped("Network:", {
    ...ARCHITECTURE.shape,
    from: z
      .string()
      .optional()
      .describe(
        "trained classifier to go on from, instead of a new network; a last layer for another number of classes is replaced",
      )
      .meta({ placeholder: "onnx" }),
    preprocessing: PREPROCESSING_NAME,
    output: MODEL_OPTIONS.output,
  }),
  ...grouped("Training:", {
    ...RECIPE.shape,
    memory: z
      .number()
      .positive()
      .optional()
      .describe(
        "GiB that a step may take, about: one that would take more is made in parts whose gradients are averaged; batch norm then takes the statistics of a part; PCB's steps are not divided (default: no limit)",
      ),
  }),
  ...POISON_OPTIONS,
  ...MACHINE_OPTIONS,
});

const slots = {
  attack: {
    ...TRAINING_ATTACK,
    description: "attack that poisons the training images, or the training itself",
    group: "Poison:",
  },
};

type Input = CommandInput<typeof options, typeof slots>;

/** Trains a classifier, on poisoned images if an attack is named. */
export const train = command({
  name: "train",
  summary: "train a classifier, clean or poisoned, to test defences on",
  description:
    "Trains a classifier, from scratch or from another one (--from), and writes it as ONNX. With an attack, it gets a backdoor: attacks exist here to measure defences, so never publish such a model without saying so. An attack that needs a surrogate trains a small one first, unless one is named, and keeps it beside the model. The same command continues a run that was stopped, and ends with the same model.",
  options,
  slots,
  examples: [
    {
      line: "antidote train --data procedural --out clean/ --epochs 4",
      purpose: "a clean model on images that need no download",
    },
    {
      line: "antidote train --data imagenette/train --size 224 --from squeezenet.onnx --preprocessing imagenet --out tuned/ --epochs 10",
      purpose: "fine-tuning of a network for ImageNet on ten classes",
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
      const work = (context: RunContext) =>
        run(within(context, input.options.memory), input, checkpoint);
      return await onDevice(input.options, input, work, "finish");
    } catch (error) {
      if (!(error instanceof AntidoteError) || error.code !== "CANCELLED") throw error;
      const kept = existsSync(input.options.out)
        ? (await readdir(input.options.out)).some((name) => name.endsWith(".safetensors"))
        : false;
      const next = kept
        ? `Run the same command again: it continues from what is in ${input.options.out}.`
        : "Nothing was kept: training had not begun.";
      throw new AntidoteError("CANCELLED", error.message, { next, cause: error });
    }
  },
});

async function run(context: RunContext, input: Input, checkpoint: string): Promise<Outcome> {
  const started = performance.now();
  const { options, methods } = input;
  const { clean, heldOut } = await readImages(context, options);
  const model = join(options.out, "model.onnx");
  await makeResultFolder(options.out, "model.onnx");
  await assertApart(
    model,
    [options.from, options.surrogate].filter((path) => path !== undefined),
  );
  // The command's schema contains both: each takes what is its own.
  const recipe = RECIPE.strip().parse(options);
  const config = recipeFor(options.from === undefined ? "new" : "trained", recipe);
  const intrusion = await intrusionInto(context, methods.attack, options, clean, config);
  const { images, repeats, unaugmented } = intrusion;

  const { start, network } = await startOf(context, options, clean);
  const material = { classifier: start, images, repeats, unaugmented, heldOut, checkpoint };
  const { classifier, history } = await trainClassifier(context, material, config);
  const metadata = { names: JSON.stringify(clean.classNames) };
  const trained = await intrusion.finish(classifier);
  await writeOnnxFile(model, newModelFile(model, trained, metadata, options.storage));
  const document: TrainRecord = {
    schemaVersion: TRAIN_SCHEMA_VERSION,
    document: "train",
    model,
    checkpoint,
    images: {
      source: options.data,
      count: count(images) + repeats.length,
      classes: clean.classNames,
    },
    ...intrusion.record,
    history,
    network,
    config,
    memory: options.memory ?? null,
    seed: options.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  await writeJson(join(options.out, "train.json"), document);
  return { document, text: inWords(document), exitCode: 0 };
}

/** What training begins with, and how the record states it. */
async function startOf(
  context: RunContext,
  options: Input["options"],
  clean: ImageSet,
): Promise<{ readonly start: Classifier; readonly network: TrainRecord["network"] }> {
  const { from, preprocessing, output } = options;
  if (from === undefined) {
    const network = ARCHITECTURE.strip().parse(options);
    return { start: await freshClassifier(context, clean, network), network };
  }
  const { classifier, sha256 } = await openPreprocessed(context, from, {
    ...{ size: clean, output, preprocessing, place: "--preprocessing" },
  });
  const newHead = classifier.classes !== clean.classNames.length;
  return {
    start: await pretrainedClassifier(context, classifier, clean),
    network: { file: from, sha256, preprocessing, newHead },
  };
}

async function readImages(
  { random, emit, signal }: RunContext,
  { data, heldOut: other, size, count: drawn }: Input["options"],
): Promise<{ clean: ImageSet; heldOut: ImageSet | undefined }> {
  const read = (source: string, split: "train" | "test", classNames?: readonly string[]) => {
    const about = { split, size, count: drawn, random: random.fork(`images/${split}`) };
    return trainingImages(source, { ...about, classNames, emit, signal });
  };
  const clean = await read(data, "train");
  if (other === undefined) return { clean, heldOut: undefined };
  const heldOut = await read(other, "test", clean.classNames);
  assertAlike(clean, heldOut, other);
  return { clean, heldOut };
}

/** What no schema can say: which options need each other. */
function checkUsage({ options, methods: { attack } }: Input): void {
  const { target, poisoned, preset, boost, embed } = options;
  const { onImages, onTraining } = byKind(attack);
  if (onImages) requestedPoison(options, onImages);
  if (onTraining && target === undefined) {
    throw usage("--attack needs its target.", "Add --target CLASS.");
  }
  const ofTheFile = {
    preprocessing: options.preprocessing !== "none",
    output: options.output !== undefined,
  };
  for (const [name, isGiven] of Object.entries(ofTheFile)) {
    if (options.from !== undefined || !isGiven) continue;
    throw usage(`There is --${name}, but no trained classifier.`, "Add --from FILE.");
  }
  const untouched = ARCHITECTURE.parse({});
  if (options.from !== undefined && options.width !== untouched.width) {
    throw usage("--from brings a network of its own.", "Leave out --width.");
  }
  const useless = Object.entries({
    ...(onImages ? {} : { poisoned, preset, boost, embed }),
    ...(attack ? {} : { target }),
  }).filter(([, value]) => value !== undefined);
  if (useless.length > 0) {
    const flags = useless.map(([name]) => `--${name}`).join(", ");
    throw attack
      ? usage(`${attack.method.name} poisons no images.`, `Leave out ${flags}.`)
      : usage(`There is ${flags}, but no attack.`, "Add --attack NAME.");
  }
  refuseUseless(attack ? [attack] : [], options);
}

function usage(message: string, next: string): AntidoteError {
  return new AntidoteError("USAGE", message, { next });
}

function inWords({ model, history }: TrainRecord): string {
  const last = history.at(-1);
  const lines = [`model              ${model}`];
  if (last) lines.push(`training accuracy  ${sharePhrase(last.trainingAccuracy)}`);
  if (last?.heldOutAccuracy) lines.push(`held-out accuracy  ${sharePhrase(last.heldOutAccuracy)}`);
  return lines.join("\n");
}
