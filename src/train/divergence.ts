import { AntidoteError } from "../core/errors.ts";
import type { Tensor } from "../core/tensor.ts";

/** Whether weights can be used. The loss of a step is older than its update, so it cannot tell. */
export function allFinite(weights: ReadonlyMap<string, Tensor>): boolean {
  return [...weights.values()].every(
    ({ type, data }) => type !== "float32" || (data as Float32Array).every(Number.isFinite),
  );
}

/** What to tell when a method's step (the first is 1) ended in numbers that are not finite. */
export function diverged(stage: string, step: number): AntidoteError {
  return new AntidoteError(
    "DIVERGED",
    `The loss of ${stage} is no longer finite at step ${step}.`,
    { place: stage, next: "Lower its learning rate." },
  );
}
