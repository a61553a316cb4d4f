import { AntidoteError } from "../core/errors.ts";
import type { Device } from "./device.ts";

/**
 * Does what should take seconds on a device, which is closed if it takes longer than `limit`: a loop in a model's file may go on for
 * ever.
 * @param limit in milliseconds
 * @param place of the model, for the message
 * @throws `MODEL_INVALID` if it takes longer, and what `work` throws
 */
export async function withPatience<T>(
  device: Device,
  limit: number,
  place: string,
  work: () => Promise<T>,
): Promise<T> {
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    void device.close();
  }, limit);
  try {
    return await work();
  } catch (cause) {
    if (!isOver) throw cause;
    throw new AntidoteError(
      "MODEL_INVALID",
      `The model did not answer once within ${Math.round(limit / 60_000)} minutes.`,
      { place, next: "Does it loop for ever? Export it without loops.", cause },
    );
  } finally {
    clearTimeout(timer);
  }
}
