import type { Emit } from "../core/progress.ts";
import type { Random } from "../core/random.ts";
import type { Device } from "./device.ts";

/** What every method gets besides its input: where to compute, what to draw from, whom to tell. */
export interface RunContext {
  readonly device: Device;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
  readonly emit: Emit;
  /**
   * Bytes that a step may take, about. One that would take more is made in parts, whose slopes are averaged
   * (`partsOf`); default: no limit.
   */
  readonly memory?: number | undefined;
}
