import { basename, dirname, extname, resolve } from "node:path";
import { z } from "zod";
import { POISONING } from "../../attacks/poison.ts";
import { PRESETS, type PresetName } from "../../attacks/presets.ts";
import { describeFilesOf } from "../../audit/describe.ts";
import { findModel } from "../../audit/model-folder.ts";
import { auditOptions } from "../../audit/options.ts";
import { problemsIn, problemText } from "../../audit/problems.ts";
import { AntidoteError } from "../../core/errors.ts";
import { PROCEDURAL } from "../../data/training-images.ts";
import { ARCHITECTURE } from "../../models/fresh.ts";
import { PREPROCESSING_NAME, PRETRAINED } from "../../models/pretrained.ts";
import { readOnnxFile } from "../../onnx/file.ts";
import { RECIPE, recipeFor, type TrainingConfig } from "../../train/config.ts";
import { choicesOf } from "./choices.ts";
import type { Source } from "./materials.ts";
import { type PlaceOf, readYamlFile } from "./yaml-file.ts";

const several = <T extends z.ZodType>(value: T) =>
  z.union([value, z.array(value).min(1)], "expected a whole number of at least 1, or several");

/** A list; one value by itself stands for a list of one. */
const list = <T extends z.ZodArray>(values: T) =>
  z.preprocess((given: z.input<T> | z.input<T>[number]) => [given].flat(), values);

const METHOD = "expected the name of a method, or a map with its name and options";

/** A method by its name, or with options that differ from its defaults. */
const methodChoice = z.union(
  [z.string().transform((name) => ({ name })), z.looseObject({ name: z.string() })],
  METHOD,
);

const { samples, boost, embed } = POISONING.shape;

const attackChoice = z.union(
  [
    z.string().transform((name) => ({ name })),
    z.looseObject({
      name: z.string(),
      poisoned: several(samples)
        .optional()
        .describe("number m of poisoned images; several give several models"),
      boost: boost.unwrap().optional(),
      embed: embed.unwrap().optional(),
    }),
  ],
  METHOD,
);

const TRUSTED =
  "expected a number, such as 0.05 for 5 % of the training images or 500 for so many images";

/** An experiment, as its file states it: a grid of attacks, seeds and defences. */
export const experiment = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/, "expected letters, digits, dots, dashes and underscores alone")
    .optional()
    .describe("name of the experiment (default: that of its file)"),
  data: z
    .string()
    .describe(
      `training images: a folder with one folder per class, CIFAR-10 or idx files, or "${PROCEDURAL}"`,
    ),
  test: z
    .string()
    .optional()
    .describe("test images (default: the test files beside the training files)"),
  testImages: z.int().min(10).default(2000).describe("how many test images judge, drawn once"),
  size: z
    .int()
    .min(8)
    .default(32)
    .describe("side to which images in folders are brought, in pixels"),
  count: z
    .int()
    .min(10)
    .default(10_000)
    .describe(`how many ${PROCEDURAL} images to draw for training`),
  network: z
    .union([
      ARCHITECTURE,
      z.strictObject({
        from: z.string().describe("ONNX classifier that training goes on from"),
        preprocessing: PREPROCESSING_NAME,
        sha256: PRETRAINED.shape.sha256.optional().describe("its digest (default: as it is found)"),
      }),
    ])
    .prefault({})
    .describe("architecture of every model, or a trained one that all go on from"),
  training: RECIPE.prefault({}).describe("how every model is trained"),
  surrogate: z
    .strictObject({
      width: z.int().min(1).default(16).describe("channels of its first stage"),
      epochs: z.int().min(1).default(4).describe("passes over the training images"),
    })
    .prefault({})
    .describe(
      "network that attackers have who need one: trained once on clean images (from the same start, if `network` names one)",
    ),
  target: z.int().min(0).default(0).describe("class that triggers lead to, by index"),
  preset: z
    .enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]])
    .optional()
    .describe("the paper's amounts of poison; what an attack states itself wins"),
  attacks: list(z.array(attackChoice))
    .default([])
    .describe("attacks, each with its amounts of poison"),
  seeds: z
    .int()
    .min(1)
    .default(1)
    .describe("models of every attack and amount: seeds 0 to seeds − 1"),
  cleanModels: z.int().min(0).default(1).describe("models without poison"),
  trusted: list(z.array(z.number(TRUSTED).gt(0)).min(1))
    .prefault([0.01])
    .describe("trusted images r: a share of the training images if below 1, else their number"),
  trustedFrom: z
    .enum(["training", "test"])
    .default("training")
    .describe(
      "where trusted images are drawn: among the training images as in the paper, or, disjoint from training, among the test images that do not judge",
    ),
  sanitizers: list(z.array(methodChoice)).default([]).describe("defences before training"),
  repairs: list(z.array(methodChoice)).default([]).describe("repairs of every poisoned model"),
  deployments: list(z.array(methodChoice))
    .default([])
    .describe("defences at inference time, on every poisoned model"),
  combine: z
    .boolean()
    .default(false)
    .describe(
      "also put defences together: repairs and defences at inference time on models from sanitized images, and such defences after every repair",
    ),
  detectors: list(z.array(methodChoice)).default([]).describe("detectors, on every model"),
  reference: methodChoice
    .prefault("pivotal-tuning")
    .describe("repair that makes the copy which some detectors compare a model with"),
  ...auditOptions.pick({ allowedDrop: true, heldOut: true }).shape,
});

export type Experiment = Omit<z.output<typeof experiment>, "training"> & {
  readonly name: string;
  readonly training: TrainingConfig;
  /** Where a part of it stands, for error messages. */
  readonly placeOf: PlaceOf;
};

/**
 * Reads an experiment. Keys may be written in camelCase or kebab-case. Paths stay as they are written, so that what a
 * store remembers of an experiment can be shared.
 * @param folder where its paths are meant from
 * @throws `INVALID_CONFIG`, `UNKNOWN_METHOD`
 */
export async function readExperiment(path: string, folder = dirname(path)): Promise<Experiment> {
  const { value, placeOf } = await readYamlFile(path);
  const read = experimentFrom(value, basename(path, extname(path)), placeOf);
  // Whoever runs it chooses the methods; what is wrong with them is found here, where lines are known.
  choicesOf(read, read.placeOf);
  const { network } = read;
  if (!("from" in network)) return read;
  const { sha256 } = network;
  const digest = await digestAt(sourceOf(read, folder).pretrained!, sha256);
  return { ...read, network: { ...network, sha256: digest } };
}

/** The digest of the model to start from, which must be the stated one if any is stated. */
async function digestAt(path: string, stated: string | undefined): Promise<string> {
  const found = await findModel(path);
  const { sha256 } = await describeFilesOf(await readOnnxFile(found.path));
  if (stated === undefined || stated === sha256) return sha256;
  throw new AntidoteError("INVALID_CONFIG", `The model to start from has the SHA-256 ${sha256}.`, {
    place: path,
    next: "Name the file that `network.sha256` belongs to, or leave the digest out.",
  });
}

/** Where everything lies that an experiment takes; its paths are meant from `folder`. */
export function sourceOf(
  { data, test, testImages, size, count, trustedFrom, network }: Experiment,
  folder?: string,
): Source {
  const at = (path: string) =>
    path === PROCEDURAL || folder === undefined ? path : resolve(folder, path);
  return {
    ...{ data: at(data), test: test === undefined ? undefined : at(test) },
    ...{ judgedOn: testImages, size, count, trustedFrom },
    pretrained: "from" in network ? at(network.from) : undefined,
  };
}

/** Says what the choices are; zod writes them as a type. */
const inWords: z.core.$ZodErrorMap = (issue) =>
  issue.code === "invalid_value" ? `expected one of ${issue.values.join(", ")}` : undefined;

const HELP = "`antidote experiment run --help` describes the file.";

/**
 * Checks and completes an experiment.
 * @param name what it is called if it does not say so itself
 * @param placeOf where a part of it stands, for error messages
 * @throws `INVALID_CONFIG`
 */
export function experimentFrom(given: unknown, name: string, placeOf: PlaceOf): Experiment {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new AntidoteError("INVALID_CONFIG", "The file holds no keys with values.", {
      place: placeOf([]),
      next: `Begin with a line such as \`data: cifar-10-batches-bin\`; ${HELP}`,
    });
  }
  const result = experiment.safeParse(given, { error: inWords });
  if (result.success) {
    const { network, training, ...rest } = result.data;
    const recipe = recipeFor("from" in network ? "trained" : "new", training);
    return { ...rest, name: rest.name ?? name, network, training: recipe, placeOf };
  }
  const problems = problemsIn(experiment, result.error);
  const place = placeOf(problems[0]!.path);
  const { message, next } = problemText(problems, HELP);
  throw new AntidoteError("INVALID_CONFIG", message, { place, next });
}
