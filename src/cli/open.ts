import { openImagesFor, openModel, openUnlabelled } from "../audit/open.ts";
import type { Subject } from "../audit/prepare.ts";
import { AntidoteError } from "../core/errors.ts";
import { Random } from "../core/random.ts";
import {
  type NamedPreprocessing,
  type Preprocessing,
  usualPreprocessing,
} from "../models/preprocessing.ts";
import type { RunContext } from "../runtime/context.ts";
import { openDevice } from "../runtime/process-device.ts";
import type { CommandInput } from "./command.ts";
import type {
  ImageOptions,
  MachineOptions,
  ModelOptions,
  UnlabelledOption,
} from "./options/shared.ts";

type Events = Pick<CommandInput<never, never>, "signal" | "emit">;

/**
 * Opens the device, does the work there, and closes the device whatever happens.
 * @param onCancel "finish" leaves the device to the work, which saves what it has; "abandon" closes it at
 *   once, so that no long computation is waited for
 */
export async function onDevice<Result>(
  { device: name, threads, seed }: MachineOptions,
  { signal, emit }: Events,
  work: (context: RunContext) => Promise<Result>,
  onCancel: "finish" | "abandon" = "abandon",
): Promise<Result> {
  await using device = await openDevice({
    name,
    threads,
    ...(onCancel === "abandon" ? { signal } : {}),
  });
  return await work({ device, random: Random.fromSeed(seed), signal, emit });
}

/** What the commands that work on a model with images begin with. */
export async function openSubject(
  { device, emit, signal }: RunContext,
  path: string,
  options: ImageOptions & ModelOptions & UnlabelledOption,
): Promise<Subject> {
  const { size, output, images, classes, labels, resize, unlabelled } = options;
  const opened = await openModel(device, path, { size, output });
  const { file, classifier, stated } = opened;
  const preprocessing = givenPreprocessing(options, classifier.image.channels);
  const about = { classes, resize, emit, signal };
  if (!unlabelled) {
    const trusted = await openImagesFor(opened, images, { labels, ...about });
    return { file, model: classifier, trusted, preprocessing, stated };
  }
  if (labels !== undefined) {
    throw new AntidoteError("USAGE", "--unlabelled and --labels exclude each other.", {
      place: "--labels",
      next: "Leave one of the two out.",
    });
  }
  if (preprocessing === undefined) {
    throw new AntidoteError("USAGE", "Without labels nothing tells which preprocessing is right.", {
      place: "--unlabelled",
      next: `Say what the model expects: --preprocessing NAME, or --mean and --std.${claim(stated.preprocessings[0])}`,
    });
  }
  const trusted = await openUnlabelled(device, opened, images, preprocessing, about);
  return { file, model: classifier, trusted, preprocessing, stated };
}

/** What to add if the model's maker states a preprocessing: nothing can check it, so the user must vouch for it. */
function claim(stated: NamedPreprocessing | undefined): string {
  if (!stated) return "";
  const { name, range, channels, mean, std } = stated;
  const flags = `--range ${range} --channels ${channels} --mean ${mean.join(",")} --std ${std.join(",")}`;
  return ` Its maker states ${name}; if you trust that: ${flags}.`;
}

/** The preprocessing that flags name or describe; undefined if none of them was given. */
export function givenPreprocessing(
  { preprocessing, mean, std, range, channels }: ImageOptions,
  count: number,
): Preprocessing | undefined {
  const described = Object.entries({ mean, std, range, channels }).filter(
    ([, value]) => value !== undefined,
  );
  if (preprocessing !== undefined) {
    const [other] = described;
    if (!other) return usualPreprocessing(preprocessing, count, "--preprocessing");
    throw new AntidoteError("USAGE", `--preprocessing says it all, but there is --${other[0]}.`, {
      place: "--preprocessing",
      next: "Leave one of the two out.",
    });
  }
  if (described.length === 0) return undefined;
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
