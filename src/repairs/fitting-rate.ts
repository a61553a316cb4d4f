import { AntidoteError } from "../core/errors.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Checkpoint } from "./repair.ts";

/** How much slower, and how often, a repair starts again. */
const SLOWER = 2;
const RETRIES = 6;

/**
 * A repair whose learning rate fits the model: the weights of every network have a scale of their own, so
 * no rate fits all. As long as `attempt` diverges before its first checkpoint, it is made again with half
 * the rate, from the start.
 * @throws `DIVERGED` of the last attempt, or of one that has given checkpoints
 */
export async function* withFittingRate(
  { emit }: Pick<RunContext, "emit">,
  stage: string,
  learningRate: number,
  attempt: (learningRate: number) => AsyncIterable<Checkpoint>,
): AsyncGenerator<Checkpoint> {
  for (let rate = learningRate, more = RETRIES; ; rate /= SLOWER, more--) {
    let begun = false;
    try {
      for await (const checkpoint of attempt(rate)) {
        begun = true;
        yield checkpoint;
      }
      return;
    } catch (error) {
      const diverged = error instanceof AntidoteError && error.code === "DIVERGED";
      if (!diverged || begun || more === 0) throw error;
      const message = `learning rate ${rate.toPrecision(2)} is too high for this model; trying half of it`;
      emit({ kind: "note", stage, message });
    }
  }
}
