import { AntidoteError } from "../core/errors.ts";
import { type Emit, silent } from "../core/progress.ts";
import { unlabelledFolder } from "../data/folder.ts";
import type { ImageSet } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { Classifier, type ClassifierOptions } from "../models/classifier.ts";
import { predict } from "../models/predict.ts";
import type { Preprocessing } from "../models/preprocessing.ts";
import { type OnnxFile, readOnnxFile } from "../onnx/file.ts";
import { importGraph } from "../onnx/import.ts";
import type { Device } from "../runtime/device.ts";
import { labelsOf } from "./labels.ts";

/** A model as it was given: the user's file, and what it computes. */
export interface OpenedModel {
  readonly file: OnnxFile;
  readonly classifier: Classifier;
}

/**
 * Reads a model file and finds out what it is.
 * @throws `MODEL_UNSUPPORTED_OPERATOR`; the errors of `readOnnxFile`, `importGraph` and
 *   `Classifier.fromGraph`
 */
export async function openModel(
  device: Device,
  path: string,
  options: ClassifierOptions = {},
): Promise<OpenedModel> {
  const file = await readOnnxFile(path);
  try {
    return { file, classifier: await Classifier.fromGraph(importGraph(file), device, options) };
  } catch (error) {
    throw unknownOperator(error) ?? error;
  }
}

/** ONNX Runtime's refusal of an operator that it does not have, as an error about the model. */
function unknownOperator(error: unknown): AntidoteError | undefined {
  if (!(error instanceof AntidoteError)) return undefined;
  const name = /([\w.:]+)(?:\(-?\d+\))? is not a registered function\/op/.exec(error.message)?.[1];
  if (name === undefined) return undefined;
  return new AntidoteError(
    "MODEL_UNSUPPORTED_OPERATOR",
    `The model uses the operator ${name}, which ONNX Runtime does not have.`,
    {
      place: name,
      next: "Export the model with standard ONNX operators alone, without custom ones.",
      cause: error,
    },
  );
}

/** How images are read for a model. */
export interface ImagesFor {
  /** File with the class names in label order. */
  readonly classes?: string | undefined;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads images in the model's size and with its classes.
 * @throws the errors of `openImages`
 */
export function openImagesFor(
  { file, classifier }: OpenedModel,
  path: string,
  { classes, emit = silent, signal }: ImagesFor = {},
): Promise<ImageSet> {
  const { channels, height, width } = classifier.image;
  return openImages(path, {
    channels,
    height,
    width,
    classes,
    classCount: classifier.classes,
    classNames: labelsOf(file, classifier.classes),
    emit,
    signal,
  });
}

/**
 * Reads images that bear no labels, and labels each with the model's own answer, as label-free Pivotal Tuning does:
 * accuracy is then agreement with the model as it was.
 * @param preprocessing must be known, as no label can tell whether it is right
 * @throws the errors of `unlabelledFolder`
 */
export async function openUnlabelled(
  device: Device,
  { file, classifier }: OpenedModel,
  path: string,
  preprocessing: Preprocessing,
  { emit = silent, signal }: Omit<ImagesFor, "classes"> = {},
): Promise<ImageSet> {
  const { channels, height, width } = classifier.image;
  const count = classifier.classes;
  const names = labelsOf(file, count) ?? Array.from({ length: count }, (_, index) => String(index));
  const set = await unlabelledFolder(path, names, { channels, height, width, emit, signal });
  const model = classifier.withPreprocessing(preprocessing);
  const { classes } = await predict(device, model, set, { signal });
  return { ...set, labels: classes };
}
