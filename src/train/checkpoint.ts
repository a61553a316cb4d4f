import { readFile } from "node:fs/promises";
import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../core/safetensors.ts";
import type { Tensor } from "../core/tensor.ts";
import { writeAtomically } from "../core/write-file.ts";
import type { OptimiserState } from "./step.ts";

const SHARE = z.object({
  value: z.number(),
  low: z.number(),
  high: z.number(),
  count: z.number(),
});

const EPOCH = z.object({
  /** Counted from 1. */
  epoch: z.int(),
  /** Mean training loss. */
  loss: z.number(),
  /** Share of correctly classified training images, as augmented, during the epoch. */
  trainingAccuracy: SHARE,
  /** Accuracy on the held-out images after the epoch, if there are any. */
  heldOutAccuracy: SHARE.optional(),
});

/** What is known after one epoch. */
export type EpochReport = z.output<typeof EPOCH>;

const PROGRESS = z.object({
  /** Identifies configuration, data, start weights and seed. */
  run: z.string(),
  /** Epochs finished, and steps finished in the one under way. */
  epoch: z.int().min(0),
  step: z.int().min(0),
  /** Loss and correct images in the epoch under way, summed over its steps. */
  lossSum: z.number(),
  correct: z.number(),
  history: z.array(EPOCH),
});

/** Where a training run stands, apart from its tensors. */
export type TrainingProgress = z.output<typeof PROGRESS>;

/** All that a run needs to continue as if it had not stopped. */
export interface Checkpoint {
  readonly progress: TrainingProgress;
  /** Weights and running statistics, under their names in the graph. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly optimiser: OptimiserState;
}

const PREFIX = "optimiser/";
const VERSION = "1";

/** Writes a checkpoint as a safetensors file. Throws `OUTPUT_NOT_WRITABLE`. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { progress, weights, optimiser } = checkpoint;
  const slots = [...optimiser.slots].map(([name, value]) => [PREFIX + name, value] as const);
  const bytes = encodeSafetensors({
    tensors: new Map([...weights, ...slots]),
    metadata: {
      "antidote-checkpoint": VERSION,
      progress: JSON.stringify(progress),
      optimiserSteps: String(optimiser.steps),
    },
  });
  await writeAtomically(path, [{ offset: 0, bytes }]);
}

/** Reads a checkpoint; undefined if there is no such file. Throws `DATA_INVALID`. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw damaged(path, error);
  }
  try {
    const { tensors, metadata } = decodeSafetensors(bytes);
    if (metadata["antidote-checkpoint"] !== VERSION) throw new Error("it is not a checkpoint");
    const entries = [...tensors];
    return {
      progress: PROGRESS.parse(JSON.parse(metadata["progress"] ?? "")),
      weights: new Map(entries.filter(([name]) => !name.startsWith(PREFIX))),
      optimiser: {
        steps: Number(metadata["optimiserSteps"]),
        slots: new Map(
          entries
            .filter(([name]) => name.startsWith(PREFIX))
            .map(([name, value]) => [name.slice(PREFIX.length), value] as const),
        ),
      },
    };
  } catch (error) {
    throw damaged(path, error);
  }
}

function damaged(path: string, cause: unknown): AntidoteError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AntidoteError("DATA_INVALID", `The checkpoint cannot be read: ${reason}.`, {
    place: path,
    next: "Delete it to train from the start.",
    cause,
  });
}
