import { throwIfCancelled } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import type { Tensor } from "../core/tensor.ts";
import { count, epochBatches, type ImageSet } from "../data/images.ts";
import type { RunContext } from "../runtime/context.ts";
import { allFinite, diverged } from "../train/divergence.ts";

/** How far a repair goes, and how often it shows where it is. */
export interface Pace {
  readonly stage: string;
  readonly steps: number;
  /** Images of a step, at most all there are. */
  readonly batchSize: number;
  /** Steps between checkpoints; there is always one after the last step. */
  readonly checkpointEvery: number;
}

/** What a repair does in a step, and what it has to show for it. */
export interface Tuning {
  /**
   * Makes a step.
   * @param indices of its images
   * @param draws random numbers of its own
   * @param step from 1 on
   * @returns the loss
   */
  take(indices: readonly number[], draws: Random, step: number): Promise<number>;
  /** All that it has changed, as it is now. */
  read(): Promise<ReadonlyMap<string, Tensor>>;
}

/** Where a repair is at a checkpoint. */
export interface Reached {
  readonly step: number;
  readonly loss: number;
  readonly values: ReadonlyMap<string, Tensor>;
}

/**
 * The steps of every repair that learns from trusted images: epoch by epoch in an order of its own, with a stop at every checkpoint.
 * @throws `DIVERGED` if the loss or a value is no longer finite; the checkpoints before remain valid
 */
export async function* tuningSteps(
  { random, signal, emit }: Pick<RunContext, "random" | "signal" | "emit">,
  trusted: ImageSet,
  { stage, steps, batchSize, checkpointEvery }: Pace,
  { take, read }: Tuning,
): AsyncGenerator<Reached> {
  for (let i = 0, epoch = 0; i < steps; epoch++) {
    for (const indices of epochBatches(count(trusted), batchSize, epoch, random.fork("order"))) {
      if (i === steps) break;
      throwIfCancelled(signal);
      const draws = random.fork(`step/${i}`);
      i++;
      const loss = await take(indices, draws, i);
      if (!Number.isFinite(loss)) throw diverged(stage, i);
      emit({ kind: "step", stage, done: i, total: steps });
      if (i % checkpointEvery > 0 && i < steps) continue;
      const values = await read();
      if (!allFinite(values)) throw diverged(stage, i);
      yield { step: i, loss, values };
    }
  }
}

/** Says into how many parts steps are divided, if they are. */
export function notePartsOf(
  { emit }: Pick<RunContext, "emit">,
  stage: string,
  size: number,
  parts: number,
): void {
  if (parts === 1) return;
  const message = `each step of ${size} images is made in ${parts} parts, to keep within the memory it may take`;
  emit({ kind: "note", stage, message });
}
