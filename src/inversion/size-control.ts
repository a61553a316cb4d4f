/** A trigger as a step of a search has seen it. */
export interface Seen {
  /** Share of the step's images that it moved to the target. */
  readonly success: number;
  /** The same as a running average. */
  readonly average: number;
  /** As its family measures it. */
  readonly size: number;
}

/**
 * How a search governs the size of its triggers: the size is penalised, and the weight of the penalty
 * adapts to every trigger at every step (the cost schedule of Neural Cleanse, Wang et al. 2019, section V-A).
 */
export interface SizeControl {
  /** Weight at the start. */
  readonly weight: number;
  /** By which the weight grows or shrinks at a step. */
  readonly factor: number;
  /** Whether the weight grows. */
  presses(seen: Seen): boolean;
  /** How good a trigger is, the highest being kept; undefined for one that is not to be kept. */
  merit(seen: Seen): number | undefined;
}

type Adaptation = Pick<SizeControl, "weight" | "factor">;

/** The smallest trigger that moves the share `success` of the images. */
export function smallest(success: number, adaptation: Adaptation): SizeControl {
  return {
    ...adaptation,
    presses: ({ average }) => average >= success,
    // The average lags behind a shrinking trigger: the last batch must agree.
    merit: (seen) => (Math.min(seen.average, seen.success) >= success ? -seen.size : undefined),
  };
}

/** The trigger that moves the most images among those of at most the size `budget`. */
export function strongest(budget: number, adaptation: Adaptation): SizeControl {
  return {
    ...adaptation,
    presses: ({ size }) => size > budget,
    merit: ({ average, size }) => (size <= budget ? average : undefined),
  };
}
