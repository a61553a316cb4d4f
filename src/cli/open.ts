import { labelsOf } from "../audit/labels.ts";
import { AntidoteError } from "../core/errors.ts";
import { Random } from "../core/random.ts";
import type { ImageSet } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import { Classifier } from "../models/classifier.ts";
import type { Preprocessing } from "../models/preprocessing.ts";
import { type OnnxFile, readOnnxFile } from "../onnx/file.ts";
import { importGraph } from "../onnx/import.ts";
import type { RunContext } from "../runtime/context.ts";
import { openDevice } from "../runtime/process-device.ts";
import type { CommandInput } from "./command.ts";
import type { ImageOptions, MachineOptions, ModelOptions } from "./options/shared.ts";

type Events = Pick<CommandInput<never, never>, "signal" | "emit">;

/** Opens the device, does the work there, and closes the device whatever happens. */
export async function onDevice<Result>(
  { device: name, threads, seed }: MachineOptions,
  { signal, emit }: Events,
  work: (context: RunContext) => Promise<Result>,
): Promise<Result> {
  await using device = await openDevice({ name, threads });
  return await work({ device, random: Random.fromSeed(seed), signal, emit });
}

/** A model as it was given: the user's file, and what it computes. */
export interface OpenedModel {
  readonly file: OnnxFile;
  readonly classifier: Classifier;
}

export async function openModel(
  { device }: RunContext,
  path: string,
  { size }: ModelOptions,
): Promise<OpenedModel> {
  const file = await readOnnxFile(path);
  const classifier = await Classifier.fromGraph(importGraph(file), device, size ? { size } : {});
  return { file, classifier };
}

/** The images that the user gave for a model, in the model's size and with its classes. */
export function openImagesFor(
  { emit, signal }: RunContext,
  { file, classifier }: OpenedModel,
  { images, classes }: ImageOptions,
): Promise<ImageSet> {
  const { channels, height, width } = classifier.image;
  return openImages(images, {
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

/** The preprocessing that flags describe; undefined if none of them was given. */
export function givenPreprocessing(
  { mean, std, range, channels }: ImageOptions,
  count: number,
): Preprocessing | undefined {
  if ([mean, std, range, channels].every((option) => option === undefined)) return undefined;
  const perChannel = (values: readonly number[], flag: string): readonly number[] => {
    if (values.length === 1) return Array.from({ length: count }, () => values[0]!);
    if (values.length === count) return values;
    throw new AntidoteError(
      "INVALID_CONFIG",
      `The model takes images of ${count} channel${count === 1 ? "" : "s"}, but ${flag} has ${values.length} values.`,
      { place: flag, next: "Give one value for each channel, or one for all." },
    );
  };
  return {
    range: range ?? "0-1",
    channels: channels ?? "rgb",
    mean: perChannel(mean ?? [0], "--mean"),
    std: perChannel(std ?? [1], "--std"),
  };
}
