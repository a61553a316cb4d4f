import { basename } from "node:path";
import { z } from "zod";
import { openClipFolder } from "../../audit/clip-folder.ts";
import { describeFile, describeHardware, describeVersions } from "../../audit/describe.ts";
import { zeroShot as makeZeroShot } from "../../audit/zero-shot.ts";
import { ZERO_SHOT_SCHEMA_VERSION, type ZeroShotRecord } from "../../audit/zero-shot-record.ts";
import { assertApart, assertWritable } from "../../core/write-file.ts";
import { classNamesFrom } from "../../data/class-names.ts";
import { PROMPTS, readPrompts } from "../../models/clip/prompts.ts";
import { newModelFile } from "../../models/new-file.ts";
import { writeOnnxFile } from "../../onnx/file.ts";
import { shorten, visible } from "../../report/visible.ts";
import type { RunContext } from "../../runtime/context.ts";
import { type CommandInput, command, type Outcome } from "../command.ts";
import { columns } from "../help.ts";
import { onDevice } from "../open.ts";
import { grouped, MACHINE_OPTIONS } from "../options/shared.ts";

const { seed: _, ...machine } = MACHINE_OPTIONS;

const options = z.strictObject({
  ...grouped("Classes:", {
    classes: z
      .string()
      .describe(
        "class names in label order: a text file with one per line, JSON, or a folder with one folder per class",
      )
      .meta({ placeholder: "path" }),
    prompts: z
      .string()
      .optional()
      .describe(
        `text file with one template per line, in which {} stands for the class; their embeddings are averaged (default: ${PROMPTS.length} such as "${PROMPTS[0]}")`,
      )
      .meta({ placeholder: "file" }),
  }),
  ...grouped("Output:", {
    out: z.string().min(1).describe("where to write the classifier").meta({ placeholder: "onnx" }),
    storage: z
      .enum(["float32", "float16"])
      .default("float32")
      .describe("type in which the file stores the weights; float16 rounds them to half the size"),
  }),
  ...machine,
});

type Input = CommandInput<typeof options, Record<never, never>>;

/** Makes a classifier of a CLIP model. */
export const zeroShot = command({
  name: "zero-shot",
  summary: "make a classifier of a CLIP model and class names",
  description:
    "Makes an image classifier of a CLIP model: its image tower, and a linear head whose weights are the embeddings of the class names in several sentences. The result is one ONNX file for pixels in [0,1], which every other command takes as any other model.",
  argument: {
    name: "folder",
    description:
      "CLIP model in the layout of Hugging Face: config.json, preprocessor_config.json, tokenizer files and safetensors",
  },
  options,
  slots: {},
  examples: [
    {
      line: "antidote zero-shot clip-vit-base-patch32/ --classes labels.txt --out clip.onnx",
      purpose: "a classifier for these classes",
    },
    {
      line: "antidote zero-shot clip-vit-base-patch32/ --classes trusted/ --prompts templates.txt --out clip.onnx",
      purpose: "for the classes of a folder of images, with sentences of your own",
    },
  ],

  async run(input) {
    await assertWritable(input.options.out);
    const work = (context: RunContext) => run(context, input);
    return await onDevice({ ...input.options, seed: 0 }, input, work);
  },
});

async function run(context: RunContext, { argument, options }: Input): Promise<Outcome> {
  const started = performance.now();
  const { out, storage } = options;
  const classes = await classNamesFrom(options.classes);
  const prompts = options.prompts === undefined ? PROMPTS : await readPrompts(options.prompts);
  const clip = await openClipFolder(argument);
  await using weights = clip.weights;
  await assertApart(out, weights.files);
  const { classifier, warnings } = await makeZeroShot(context, clip, classes, prompts);
  const metadata = { names: JSON.stringify(classes), "antidote.prompts": JSON.stringify(prompts) };
  await writeOnnxFile(out, newModelFile(out, classifier, metadata, storage));
  const { name, range, channels, mean, std } = clip.preprocessing;
  const document: ZeroShotRecord = {
    schemaVersion: ZERO_SHOT_SCHEMA_VERSION,
    document: "zero-shot",
    source: {
      folder: argument,
      files: weights.files.map((file) => basename(file)),
      ...(await describeFile(...weights.files)),
    },
    model: out,
    classes,
    classesFrom: options.classes,
    prompts,
    latent: clip.shape.projection,
    size: clip.shape.image.size,
    preprocessing: { name, range, channels, mean, std },
    warnings,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  return { document, text: inWords(document), exitCode: 0 };
}

function inWords(record: ZeroShotRecord): string {
  const { model, classes, prompts, latent, size, preprocessing, warnings } = record;
  return columns([
    ["classifier", visible(model)],
    ["classes", `${classes.length}: ${shorten(visible(classes.join(", ")), 200)}`],
    ["prompts", `${prompts.length}, such as "${visible(prompts[0]!)}"`],
    ["images", `${size}×${size}, colour, pixels in [0,1]; ${visible(preprocessing.name)} inside`],
    ["latent", `${latent} numbers per image, of length 1`],
    ...warnings.map((text): [string, string] => ["warning", visible(text)]),
  ]);
}
