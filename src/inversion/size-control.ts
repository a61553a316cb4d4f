/** A trigger as a step of a search has seen it. */
export interface Seen {
  /** Share of the step's images that it moved to the target. */
  readonly success: number;
  /** The same as a running average. */
  readonly average: number;
  /** As its family measures it. */
  readonly size: number;
}

/** The next weight of the penalty on a trigger's size, after a step with the present one. */
export type Adaptation = (weight: number, seen: Seen) => number;

/**
 * How a search governs the size of its triggers: the size is penalised, and the weight of the penalty
 * adapts to every trigger at every step (the cost schedule of Neural Cleanse, Wang et al. 2019, section V-A).
 */
export interface SizeControl {
  /** Weight at the start. */
  readonly weight: number;
  /** For one trigger, from the first step of its search on. */
  adaptation(): Adaptation;
  /** How good a trigger is, the highest being kept; undefined for one that is not to be kept. */
  merit(seen: Seen): number | undefined;
}

/** A weight that changes by a factor at every step. */
export interface Pace {
  /** At the start. */
  readonly weight: number;
  /** By which it grows or shrinks. */
  readonly factor: number;
}

/**
 * The smallest trigger that moves the share `success` of the images. Until there is one that works the penalty gives way, and
 * then it is back at its first weight: where many steps went by, it would need as many again to count for
 * anything, and which class ends with a small trigger would be decided by which worked first.
 */
export function smallest(success: number, { weight, factor }: Pace): SizeControl {
  return {
    weight,
    adaptation() {
      let hasWorked = false;
      return (now, { average }) => {
        if (average < success) return now / factor;
        const next = hasWorked ? now * factor : weight;
        hasWorked = true;
        return next;
      };
    },
    merit: meritOfSmallness(success),
  };
}

/** Steps of one kind in a row after which the patient schedule moves, and what it begins with. */
const PATIENCE = { steps: 5, weight: 1e-3, up: 2, down: 2 ** 1.5 };

/**
 * The same as the code of Neural Cleanse has it: there is no penalty until the trigger has worked five times
 * in a row; from then on, the weight doubles when it has again, and falls to 1/2^1.5 when it has failed five times.
 */
export function smallestPatiently(success: number): SizeControl {
  return {
    weight: 0,
    adaptation() {
      let [worked, failed] = [0, 0];
      return (weight, { average }) => {
        [worked, failed] = average >= success ? [worked + 1, 0] : [0, failed + 1];
        if (worked < PATIENCE.steps && failed < PATIENCE.steps) return weight;
        const up = worked > 0;
        [worked, failed] = [0, 0];
        if (weight === 0) return up ? PATIENCE.weight : 0;
        return up ? weight * PATIENCE.up : weight / PATIENCE.down;
      };
    },
    merit: meritOfSmallness(success),
  };
}

/** The average lags behind a shrinking trigger: the last batch must agree. */
function meritOfSmallness(success: number): SizeControl["merit"] {
  return (seen) => (Math.min(seen.average, seen.success) >= success ? -seen.size : undefined);
}

/** The trigger that moves the most images among those of at most the size `budget`. */
export function strongest(budget: number, { weight, factor }: Pace): SizeControl {
  return {
    weight,
    adaptation: () => (now, seen) => now * (seen.size > budget ? factor : 1 / factor),
    merit: ({ average, size }) => (size <= budget ? average : undefined),
  };
}
