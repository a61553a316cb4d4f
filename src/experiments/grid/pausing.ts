import { AntidoteError } from "../../core/errors.ts";

/**
 * Waits for what comes before the first trial. Stopped there, nothing is under way yet, and the same command goes on.
 * @throws `PAUSED` in the place of `CANCELLED`
 */
export async function pausing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof AntidoteError) || cause.code !== "CANCELLED") throw cause;
    throw new AntidoteError("PAUSED", "Stopped before the first trial.", {
      next: "Run the same command again.",
      cause,
    });
  }
}
