import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import type { AttackInput, Need } from "../attacks/attack.ts";
import { trainSurrogate } from "../attacks/surrogate.ts";
import { describeFile } from "../audit/describe.ts";
import { openModel, openPreprocessed } from "../audit/open.ts";
import type { AttackAids } from "../audit/record-parts.ts";
import { AntidoteError } from "../core/errors.ts";
import { digestOf } from "../data/digest.ts";
import type { Geometry, ImageSet } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import type { Classifier } from "../models/classifier.ts";
import { newModelFile } from "../models/new-file.ts";
import { PREPROCESSING_NAME } from "../models/pretrained.ts";
import { type OnnxFile, writeOnnxFile } from "../onnx/file.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Choice } from "./command.ts";

/** What some attacks ask for beside the images. */
export const AID_OPTIONS = {
  surrogate: z
    .string()
    .optional()
    .describe("ONNX classifier on which adversarial triggers are found")
    .meta({ placeholder: "onnx" }),
  surrogatePreprocessing: PREPROCESSING_NAME.describe(
    "what the surrogate expects of an image in [0,1]",
  ),
  photographs: z
    .string()
    .optional()
    .describe("folder of pictures to lay over images, with one folder per class")
    .meta({ placeholder: "path" }),
};

type Options = z.output<z.ZodObject<typeof AID_OPTIONS>>;

/** What an attack asked for, and how records state it. */
export interface Aids {
  readonly input: Pick<AttackInput, "surrogate" | "photographs">;
  readonly record: AttackAids;
}

/** Where a surrogate may be made that nobody named. */
export interface Workshop {
  /** Clean images to train it on. */
  readonly images: ImageSet;
  /** Where it is kept, if it is. */
  readonly folder?: string;
}

/**
 * Opens what the chosen attacks need, as far as options name it; a surrogate is trained if there is a workshop.
 * @throws the errors of `openModel`, `openImages` and `trainSurrogate`; `USAGE` for an option that no chosen
 *   attack has a use for
 */
export async function openAids(
  context: RunContext,
  choices: readonly Choice[],
  options: Options,
  geometry: Geometry,
  workshop?: Workshop,
): Promise<Aids> {
  refuseUseless(choices, options);
  const needs = new Set(choices.flatMap(needsOf));
  const found =
    options.surrogate !== undefined
      ? await openSurrogate(context, options.surrogate, options, geometry)
      : needs.has("surrogate") && workshop
        ? await madeSurrogate(context, workshop)
        : undefined;
  const { photographs } = options;
  const { channels, height, width } = geometry;
  const { emit, signal } = context;
  return {
    input: {
      surrogate: found?.classifier,
      photographs:
        photographs === undefined
          ? undefined
          : await openImages(photographs, { channels, height, width, emit, signal }),
    },
    record: { surrogate: found?.record ?? null, photographs: photographs ?? null },
  };
}

interface Surrogate {
  readonly classifier: Classifier;
  readonly record: NonNullable<AttackAids["surrogate"]>;
}

async function openSurrogate(
  context: RunContext,
  path: string,
  { surrogatePreprocessing: wanted }: Options,
  size: Geometry,
): Promise<Surrogate> {
  const stated = { size, preprocessing: wanted, place: "--surrogate-preprocessing" };
  const { classifier, sha256 } = await openPreprocessed(context, path, stated);
  const record = { file: path, sha256, preprocessing: wanted, madeHere: false };
  return { classifier, record };
}

/** Entry of a kept surrogate's metadata that says what it was trained on. */
const TRAINED_ON = "antidote_surrogate_of";

/** A small network trained on clean images; the kept one if it is of these images and this seed. */
async function madeSurrogate(
  context: RunContext,
  { images, folder }: Workshop,
): Promise<Surrogate> {
  const note = (message: string) => context.emit({ kind: "note", stage: "surrogate", message });
  const origin = `${digestOf(images)}/${context.random.fork("surrogate").uniform()}`;
  const path = folder === undefined ? undefined : join(folder, "surrogate.onnx");
  if (path !== undefined && existsSync(path)) {
    const { file, classifier } = await openModel(context.device, path);
    if (trainedOn(file) === origin) {
      note(`the surrogate is ${path}, which an earlier run made`);
      return kept(classifier, path);
    }
    note(`${path} is of other images or another seed: a new one is trained in its place`);
  } else {
    note("no --surrogate is given: a small one is trained first");
  }
  const checkpoint =
    folder === undefined ? undefined : join(folder, `surrogate-${shortOf(origin)}.safetensors`);
  const classifier = await trainSurrogate(context, images, checkpoint);
  if (path === undefined) {
    const record = { file: null, sha256: null, preprocessing: "none", madeHere: true };
    return { classifier, record };
  }
  const metadata = { names: JSON.stringify(images.classNames), [TRAINED_ON]: origin };
  await writeOnnxFile(path, newModelFile(path, classifier, metadata));
  return kept(classifier, path);
}

async function kept(classifier: Classifier, path: string): Promise<Surrogate> {
  const { sha256 } = await describeFile(path);
  const record = { file: basename(path), sha256, preprocessing: "none", madeHere: true };
  return { classifier, record };
}

function trainedOn({ model }: OnnxFile): string | undefined {
  return model.metadataProps.find(({ key }) => key === TRAINED_ON)?.value;
}

function shortOf(origin: string): string {
  return createHash("sha256").update(origin).digest("hex").slice(0, 8);
}

/** @throws `USAGE` if no chosen attack has a use for what an option names */
export function refuseUseless(
  choices: readonly Choice[],
  { surrogate, photographs }: Options,
): void {
  const needs = new Set(choices.flatMap(needsOf));
  for (const [need, value] of Object.entries({ surrogate, photographs })) {
    if (value === undefined || needs.has(need as Need)) continue;
    const [only] = choices;
    const message =
      only && choices.length === 1
        ? `${only.method.name} has no use for --${need}.`
        : `Nothing here has a use for --${need}.`;
    throw new AntidoteError("USAGE", message, { next: `Leave out --${need}.` });
  }
}

function needsOf({ method, config }: Choice): readonly Need[] {
  const { needs } = method as { readonly needs?: (config: unknown) => readonly Need[] };
  return needs?.(config) ?? [];
}
