import { AntidoteError } from "../core/errors.ts";
import { type Emit, silent } from "../core/progress.ts";
import { checkClassCount, readClassNames } from "../data/classes.ts";
import type { Sizing } from "../data/decode.ts";
import { unlabelledFolder } from "../data/folder.ts";
import type { ImageSet } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { Classifier, type ClassifierOptions } from "../models/classifier.ts";
import { importWeights } from "../models/import-weights.ts";
import { predict } from "../models/predict.ts";
import { type Preprocessing, usualPreprocessing } from "../models/preprocessing.ts";
import { isWeights } from "../models/weights-file.ts";
import { evaluationMode } from "../onnx/evaluation-mode.ts";
import { type OnnxFile, readOnnxFile } from "../onnx/file.ts";
import type { Graph } from "../onnx/graph.ts";
import { importGraph } from "../onnx/import.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Device } from "../runtime/device.ts";
import { withPatience } from "../runtime/patience.ts";
import { describeFilesOf } from "./describe.ts";
import { type FoundModel, findModel, othersThan } from "./model-folder.ts";
import { type Facts, readFacts, type Stated, statedSize, stateOf } from "./stated.ts";

/** A model as it was given: the user's file in evaluation mode, what it computes, and what is said about it. */
export interface OpenedModel {
  readonly file: OnnxFile;
  readonly classifier: Classifier;
  readonly stated: Stated;
}

/**
 * Reads a model file, or weights whose network is known (`importWeights`), or the model of a folder with what the folder
 * states about it, and finds out what it is.
 * @throws `MODEL_UNSUPPORTED_OPERATOR`, `MODEL_INVALID`, among others where it does not end (`withPatience`); the errors of `findModel`, `readFacts`, `readOnnxFile`, `importWeights`,
 *   `evaluationMode`, `importGraph` and `Classifier.fromGraph`
 */
export async function openModel(
  device: Device,
  path: string,
  options: ClassifierOptions = {},
): Promise<OpenedModel> {
  const found = await findModel(path);
  const { file, facts, size, assumptions } = isWeights(found.path)
    ? await readWeights(found, options.size)
    : await readModel(found, options.size);
  const graph = importGraph(file);
  try {
    const classifier = await withPatience(device, PATIENCE, path, () =>
      Classifier.fromGraph(graph, device, { ...options, size }),
    );
    const { warnings, ...stated } = stateOf(facts, classifier, await othersThan(file.parts, found));
    return { file, classifier, stated: { ...stated, warnings: [...assumptions, ...warnings] } };
  } catch (error) {
    throw refusedModel(error, graph) ?? error;
  }
}

/** Many times as long as a model takes that answers once, in milliseconds. */
const PATIENCE = 15 * 60_000;

/** A model in memory, with what is said about it and what had to be assumed. */
interface ReadModel {
  readonly file: OnnxFile;
  readonly facts: Facts;
  readonly size: ClassifierOptions["size"];
  readonly assumptions: readonly string[];
}

async function readModel(found: FoundModel, given: ClassifierOptions["size"]): Promise<ReadModel> {
  const { file, switched } = evaluationMode(await readOnnxFile(found.path));
  const facts = await readFacts(found, file);
  const assumptions = switched.size === 0 ? [] : [trainingWarning(switched)];
  return { file, facts, size: given ?? statedSize(facts)?.size, assumptions };
}

/** @param switched how many nodes computed as in training, by operator */
function trainingWarning(switched: ReadonlyMap<string, number>): string {
  const counts = Array.from(switched, ([op, count]) => `${count} × ${op}`).join(", ");
  return `The file was exported in training mode (${counts}): run as it is, it answers by the other images of a batch or at random. It is taken as after \`model.eval()\`, with running statistics and without dropout, and a repaired file is written so.`;
}

async function readWeights(
  found: FoundModel,
  given: ClassifierOptions["size"],
): Promise<ReadModel> {
  const facts = await readFacts(found);
  const size = given ?? statedSize(facts)?.size;
  const { file, assumedSize } = await importWeights(found.path, size);
  const assumption = `Weights do not say how large images are: ${assumedSize}×${assumedSize} is taken, as is usual for this network (--size says otherwise).`;
  return { file, facts, size, assumptions: assumedSize === undefined ? [] : [assumption] };
}

/** How a classifier is taken whose preprocessing is known by its name. */
export interface PreprocessedOptions extends Pick<ClassifierOptions, "size" | "output"> {
  readonly preprocessing: string;
  /** What named the preprocessing, for errors. */
  readonly place: string;
}

/**
 * A classifier with a preprocessing by its name, and the digest of all files that it was read from. What is odd about the
 * file is told as warnings.
 * @throws the errors of `openModel` and `usualPreprocessing`
 */
export async function openPreprocessed(
  { device, emit }: Pick<RunContext, "device" | "emit">,
  path: string,
  { size, output, preprocessing, place }: PreprocessedOptions,
): Promise<{ readonly classifier: Classifier; readonly sha256: string }> {
  const { classifier, file, stated } = await openModel(device, path, { size, output });
  for (const message of stated.warnings) emit({ kind: "warning", stage: path, message });
  const found = usualPreprocessing(preprocessing, classifier.image.channels, place);
  const { sha256 } = await describeFilesOf(file);
  return { classifier: classifier.withPreprocessing(found), sha256 };
}

/** What ONNX Runtime says of an operator of a custom domain, and of one that the standard does not have. */
const UNKNOWN =
  /([\w.:]+)(?:\(-?\d+\))? is not a registered function\/op|No Op registered for ([\w.]+) with/;

/** What ONNX Runtime says of a model whose nodes do not fit together. */
const DEFECTIVE = /\[(?:Shape|Type)InferenceError\]|invalid model/i;

/** ONNX Runtime's refusal of what a file says, not of what a machine can do, as an error about the model. */
function refusedModel(error: unknown, graph: Graph): AntidoteError | undefined {
  if (!(error instanceof AntidoteError) || error.code !== "RUNTIME_FAILED") return undefined;
  const { message, place } = error;
  const [, custom, standard] = UNKNOWN.exec(message) ?? [];
  const name = custom ?? standard;
  if (name !== undefined) return unknownOperator(name, graph, error);
  if (!DEFECTIVE.test(message)) return undefined;
  return new AntidoteError("MODEL_INVALID", message, {
    ...(place === undefined ? {} : { place }),
    next: "Check the model with `onnx.checker.check_model(model, full_check=True)`, or export it again.",
    cause: error,
  });
}

/** @param name with the domain before a colon where it is not the standard one */
function unknownOperator(name: string, graph: Graph, cause: unknown): AntidoteError {
  const node = graph.nodes.find(({ op, domain }) => name === (domain ? `${domain}:${op}` : op));
  return new AntidoteError(
    "MODEL_UNSUPPORTED_OPERATOR",
    `The model uses the operator ${name}, which ONNX Runtime does not have.`,
    {
      place: node?.name ?? name,
      next: "Export the model with standard ONNX operators alone, without custom ones.",
      cause,
    },
  );
}

/** How images are read for a model. */
export interface ImagesFor {
  /** File with the class names in label order. */
  readonly classes?: string | undefined;
  /** Table of file names and labels, where it does not lie in the folder of the images. */
  readonly labels?: string | undefined;
  /** How pictures in folders are brought to the model's size; by default as its folder states. */
  readonly resize?: Sizing["resize"] | undefined;
  readonly emit?: Emit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads images in the model's size and with its classes.
 * @throws the errors of `openImages`
 */
export function openImagesFor(
  { classifier, stated: { labels, sizing } }: Pick<OpenedModel, "classifier" | "stated">,
  path: string,
  { classes, labels: table, resize, emit = silent, signal }: ImagesFor = {},
): Promise<ImageSet> {
  const { channels, height, width } = classifier.image;
  return openImages(path, {
    channels,
    height,
    width,
    sizing: resize === undefined ? sizing : givenSizing(resize, classifier.image),
    classes,
    labels: table,
    classCount: classifier.classes,
    classNames: labels?.names,
    classNamesFrom: labels?.source,
    emit,
    signal,
  });
}

/** @throws `INVALID_CONFIG` for a shorter side below the model's */
function givenSizing(resize: Sizing["resize"], { height, width }: Classifier["image"]): Sizing {
  if (resize === "stretch" || resize >= Math.max(height, width))
    return { resize, kernel: "linear" };
  throw new AntidoteError(
    "INVALID_CONFIG",
    `The model takes images of ${width}×${height}: their shorter side cannot be ${resize} pixels before the centre is cut out.`,
    { place: "--resize", next: `Give at least ${Math.max(height, width)}, or "stretch".` },
  );
}

/**
 * Reads images that bear no labels, and labels each with the model's own answer, as label-free Pivotal Tuning does:
 * accuracy is then agreement with the model as it was.
 * @param preprocessing must be known, as no label can tell whether it is right
 * @throws the errors of `unlabelledFolder` and `readClassNames`; `CLASSES_MISMATCH`
 */
export async function openUnlabelled(
  device: Device,
  { classifier, stated: { labels, sizing } }: OpenedModel,
  path: string,
  preprocessing: Preprocessing,
  { classes, resize, emit = silent, signal }: Omit<ImagesFor, "labels"> = {},
): Promise<ImageSet> {
  const { channels, height, width } = classifier.image;
  const count = classifier.classes;
  const listed = classes === undefined ? labels?.names : await readClassNames(classes);
  if (classes !== undefined) checkClassCount(listed!.length, count, classes);
  const names = listed ?? Array.from({ length: count }, (_, index) => String(index));
  const set = await unlabelledFolder(path, names, {
    channels,
    height,
    width,
    sizing: resize === undefined ? sizing : givenSizing(resize, classifier.image),
    emit,
    signal,
  });
  const model = classifier.withPreprocessing(preprocessing);
  const answers = await predict(device, model, set, { signal });
  return { ...set, labels: answers.classes };
}
