import { throwIfCancelled } from "../core/errors.ts";
import { batchTensors, count, type ImageSet, indicesByClass } from "../data/images.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Program } from "../runtime/device.ts";
import type { SanitizerInput } from "./sanitizer.ts";

/** The latents of all images that bear one label. */
export interface ClassLatents {
  readonly label: number;
  /** Positions in the set, ascending, [n] with n ≥ 1. */
  readonly positions: readonly number[];
  /** [n,d] row after row. */
  readonly latents: Float32Array;
  /** d */
  readonly width: number;
}

const LARGEST_BATCH = 100;

/**
 * The latents of a set, class by class; no more than one class and one batch are held at a time. Batches go over the
 * borders of classes, so many small classes take no more of them than a few large ones. One step of `stage` is one batch.
 * @throws `RUNTIME_FAILED`, `RUNTIME_CRASHED`, `CANCELLED`
 */
export async function* latentsByClass(
  context: Pick<RunContext, "device" | "signal" | "emit">,
  input: SanitizerInput,
  stage: string,
): AsyncGenerator<ClassLatents> {
  const groups = indicesByClass(input.images);
  const batchSize = Math.min(LARGEST_BATCH, count(input.images));
  if (batchSize === 0) return;
  const program = await compileLatents(context, input, batchSize);
  try {
    const rows = latentRows(context, program, input.images, groups.flat(), batchSize, stage);
    for (const [label, positions] of groups.entries()) {
      if (positions.length === 0) continue;
      const latents = await takeRows(rows, positions.length);
      throwIfCancelled(context.signal);
      yield { label, positions, latents, width: latents.length / positions.length };
    }
  } finally {
    await program.release();
  }
}

/** [B,C,H,W] → [B,d] */
async function compileLatents(
  { device }: Pick<RunContext, "device">,
  { model }: SanitizerInput,
  batchSize: number,
): Promise<Program> {
  const { channels, height, width } = model.image;
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [batchSize, channels, height, width]); // [B,C,H,W]
  const { latent } = model.append(b, await model.at(batchSize), x, "model/");
  b.output("latent", latent);
  return device.compile(b.build());
}

/** The latents of the images at `positions`, one after the other, [d] each. */
async function* latentRows(
  { signal, emit }: Pick<RunContext, "signal" | "emit">,
  program: Program,
  images: ImageSet,
  positions: readonly number[],
  batchSize: number,
  stage: string,
): AsyncGenerator<Float32Array> {
  const total = Math.ceil(positions.length / batchSize);
  for (let done = 0; done < total; done++) {
    throwIfCancelled(signal);
    const next = positions.slice(done * batchSize, (done + 1) * batchSize);
    const batch = batchTensors(images, next, batchSize);
    const outputs = await program.run({ images: batch.images }, { signal });
    const latents = outputs["latent"]!.data as Float32Array; // [B,d]
    const width = latents.length / batchSize;
    emit({ kind: "step", stage, done: done + 1, total });
    for (let row = 0; row < batch.valid; row++) {
      yield latents.subarray(row * width, (row + 1) * width);
    }
  }
}

/** The next `count` rows in one matrix, [count,d] row after row. */
async function takeRows(rows: AsyncGenerator<Float32Array>, count: number): Promise<Float32Array> {
  let taken = new Float32Array(0);
  for (let at = 0; at < count; at++) {
    const row: Float32Array = (await rows.next()).value;
    if (at === 0) taken = new Float32Array(count * row.length);
    taken.set(row, at * row.length);
  }
  return taken;
}
