import { createHash } from "node:crypto";
import { AntidoteError, throwIfCancelled } from "../core/errors.ts";
import { proportion } from "../core/statistics.ts";
import { toNumbers } from "../core/tensor.ts";
import { augment } from "../data/augment.ts";
import { hashImages } from "../data/digest.ts";
import {
  batchTensors,
  count,
  epochBatches,
  type ImageSet,
  imageLength,
  occurrences,
} from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { partsOf } from "../models/memory.ts";
import { predict } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Tensors } from "../runtime/device.ts";
import {
  type EpochReport,
  readCheckpoint,
  type TrainingProgress,
  writeCheckpoint,
} from "./checkpoint.ts";
import { optimiserOf, type TrainingConfig } from "./config.ts";
import { inParts } from "./parts.ts";
import { SCHEDULES } from "./schedules.ts";
import { compileStep, type Step } from "./step.ts";
import { trainingStep } from "./training-step.ts";

export interface TrainingInput {
  /** What to train: its weights are the start. */
  readonly classifier: Classifier;
  readonly images: ImageSet;
  /** Positions of images that every epoch shows once more, one entry for each further time. */
  readonly repeats?: readonly number[] | undefined;
  /** Positions of images that are shown as they are, without augmentation. */
  readonly unaugmented?: ReadonlySet<number> | undefined;
  /** Images to measure the accuracy on after every epoch. They do not influence the result. */
  readonly heldOut?: ImageSet | undefined;
  /** File to save to after every epoch and on cancellation, and to continue from if it exists. */
  readonly checkpoint?: string | undefined;
}

export interface TrainingResult {
  readonly classifier: Classifier;
  readonly history: readonly EpochReport[];
}

const STAGE = "training";

/**
 * Trains a classifier. What is drawn depends on the seed, the epoch and the step only, so a run that
 * was stopped and continued ends with the same bits as one that was not (same machine, same threads). Where a budget of
 * memory divides a step, batch norm takes the statistics of each part.
 * A cancelled run finishes its step and saves before it throws.
 * @throws `CANCELLED`, `DIVERGED`, `INVALID_CONFIG` (the checkpoint is of another run), `DATA_INVALID`
 *   (it is damaged), `OUTPUT_NOT_WRITABLE`, `MODEL_NOT_DIFFERENTIABLE`, `RUNTIME_FAILED`, `RUNTIME_CRASHED`
 */
export async function train(
  context: RunContext,
  input: TrainingInput,
  config: TrainingConfig,
): Promise<TrainingResult> {
  const size = Math.min(config.batch, occurrences(input.images, input.repeats).length);
  const { labelSmoothing } = config;
  const parts = await partsOf([input.classifier], size, context.memory);
  const definition = await trainingStep(
    input.classifier,
    size / parts,
    optimiserOf(config),
    labelSmoothing,
  );
  const step = await compileStep(context.device, { ...definition, parts });
  try {
    return await new Run(context, input, config, { size, parts, step }).finish();
  } finally {
    await step.release();
  }
}

/** One training run and where it stands. */
class Run {
  readonly #context: RunContext;
  readonly #input: TrainingInput;
  readonly #config: TrainingConfig;
  readonly #size: number;
  readonly #parts: number;
  readonly #step: Step<"correct">;
  #progress: TrainingProgress;

  constructor(
    context: RunContext,
    input: TrainingInput,
    config: TrainingConfig,
    { size, parts, step }: { size: number; parts: number; step: Step<"correct"> },
  ) {
    this.#context = context;
    this.#input = input;
    this.#config = config;
    this.#size = size;
    this.#parts = parts;
    this.#step = step;
    const run = fingerprint(context, input, config, parts);
    this.#progress = { run, epoch: 0, step: 0, lossSum: 0, correct: 0, history: [] };
  }

  async finish(): Promise<TrainingResult> {
    await this.#resume();
    while (this.#progress.epoch < this.#config.epochs) await this.#epoch();
    return { classifier: await this.#classifier(), history: this.#progress.history };
  }

  async #epoch(): Promise<void> {
    const { signal } = this.#context;
    const { epoch } = this.#progress;
    const order = this.#order(epoch);
    while (this.#progress.step < order.length) {
      if (signal?.aborted) await this.#save();
      throwIfCancelled(signal);
      await this.#oneStep(order[this.#progress.step]!, order.length);
    }
    const seen = order.length * this.#size;
    const { lossSum, correct, history } = this.#progress;
    const report: EpochReport = {
      epoch: epoch + 1,
      loss: lossSum / order.length,
      trainingAccuracy: proportion(correct, seen),
      heldOutAccuracy: await this.#heldOutAccuracy(),
    };
    this.#progress = {
      ...this.#progress,
      epoch: epoch + 1,
      step: 0,
      lossSum: 0,
      correct: 0,
      history: [...history, report],
    };
    this.#context.emit({ kind: "note", stage: STAGE, message: inWords(report, this.#config) });
    await this.#save();
  }

  async #oneStep(indices: readonly number[], stepsPerEpoch: number): Promise<void> {
    const { epoch, step } = this.#progress;
    const total = this.#config.epochs * stepsPerEpoch;
    const done = epoch * stepsPerEpoch + step;
    const rate = SCHEDULES[this.#config.schedule](this.#config.learningRate, total)(done);
    // Not cancellable: afterwards it would be unknown whether the weights have moved.
    const feeds = inParts(this.#feeds(indices), this.#parts);
    const { loss, metrics } = await this.#step.runParts(feeds, rate);
    if (!Number.isFinite(loss)) {
      throw new AntidoteError("DIVERGED", `The loss is ${loss} at step ${done + 1} of ${total}.`, {
        place: `learning rate ${rate.toPrecision(3)}`,
        next: "Train with a lower learning rate.",
      });
    }
    this.#progress.step++;
    this.#progress.lossSum += loss;
    for (const { correct } of metrics) this.#progress.correct += toNumbers(correct)[0]!;
    this.#context.emit({ kind: "step", stage: STAGE, done: done + 1, total });
  }

  /** The images at `indices` with their labels, cropped and mirrored at random. */
  #feeds(indices: readonly number[]): Tensors {
    const { images: set, unaugmented } = this.#input;
    const { epoch, step } = this.#progress;
    const { images, labels } = batchTensors(set, indices, this.#size);
    const random = this.#context.random.fork(`augmentation/${epoch}/${step}`);
    const { padding, flip } = this.#config;
    const moved = augment(images.data, set, random, { padding, flip });
    const length = imageLength(set);
    indices.forEach((index, row) => {
      if (!unaugmented?.has(index)) return;
      moved.set(images.data.subarray(row * length, (row + 1) * length), row * length);
    });
    return { images: { ...images, data: moved }, labels };
  }

  #order(epoch: number): number[][] {
    const shown = occurrences(this.#input.images, this.#input.repeats);
    const random = this.#context.random.fork("order");
    const places = epochBatches(shown.length, this.#size, epoch, random);
    return places.map((batch) => batch.map((place) => shown[place]!));
  }

  async #classifier(): Promise<Classifier> {
    return this.#input.classifier.withWeights(await this.#step.read());
  }

  async #heldOutAccuracy(): Promise<EpochReport["heldOutAccuracy"]> {
    const { heldOut } = this.#input;
    if (!heldOut) return undefined;
    const { device, signal } = this.#context;
    const { classes } = await predict(device, await this.#classifier(), heldOut, { signal });
    const hits = classes.filter((predicted, row) => predicted === heldOut.labels[row]).length;
    return proportion(hits, count(heldOut));
  }

  async #save(): Promise<void> {
    const { checkpoint } = this.#input;
    if (checkpoint === undefined) return;
    const [weights, optimiser] = [await this.#step.read(), await this.#step.readOptimiser()];
    await writeCheckpoint(checkpoint, { progress: this.#progress, weights, optimiser });
  }

  async #resume(): Promise<void> {
    const { checkpoint } = this.#input;
    const saved = checkpoint === undefined ? undefined : await readCheckpoint(checkpoint);
    if (!saved) return;
    if (saved.progress.run !== this.#progress.run) {
      throw new AntidoteError(
        "INVALID_CONFIG",
        "The checkpoint is of a run with other options, images, start weights or seed.",
        {
          ...(checkpoint === undefined ? {} : { place: checkpoint }),
          next: "Delete it to train from the start, or repeat the options of the run it belongs to.",
        },
      );
    }
    await this.#step.write(saved.weights);
    await this.#step.writeOptimiser(saved.optimiser);
    this.#progress = saved.progress;
    this.#context.emit({
      kind: "note",
      stage: STAGE,
      message: `continued after ${saved.progress.epoch} epochs and ${saved.progress.step} steps`,
    });
  }
}

/** A digest of everything that the result depends on. */
function fingerprint(
  { random }: RunContext,
  { classifier, images, repeats = [], unaugmented = new Set() }: TrainingInput,
  config: TrainingConfig,
  parts: number,
): string {
  const hash = createHash("sha256");
  const drawn = random.fork("fingerprint").uniform();
  const divided = parts > 1 ? [parts] : [];
  hash.update(JSON.stringify([config, repeats, [...unaugmented], drawn, ...divided]));
  hashImages(hash, images);
  for (const { data } of classifier.weights.values()) {
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

function inWords(
  { epoch, loss, trainingAccuracy, heldOutAccuracy }: EpochReport,
  { epochs }: TrainingConfig,
): string {
  const percent = ({ value }: { readonly value: number }) => `${(100 * value).toFixed(1)} %`;
  const heldOut = heldOutAccuracy ? `, ${percent(heldOutAccuracy)} on held-out images` : "";
  return `epoch ${epoch} of ${epochs}: loss ${loss.toFixed(3)}, accuracy ${percent(trainingAccuracy)}${heldOut}`;
}
