import { Random } from "../../core/random.ts";
import { type Estimate, meanWithInterval } from "../../core/statistics.ts";
import { detectability } from "../../games/detectability.ts";

/** A number from records: with its 95 % interval where there are several, and from how many models. */
export interface Measured {
  readonly value: number;
  /** Null for a single model. */
  readonly low: number | null;
  readonly high: number | null;
  /** Number of models; of a detectability that of poisoned ones. */
  readonly n: number;
  /** Number of clean models that they are compared with. */
  readonly against?: number;
}

/**
 * The mean over models, with Student's interval; null if there are none.
 * @param limits the lowest and the highest value that there can be
 */
export function meanOf(
  values: readonly number[],
  limits: readonly [number, number] = [0, 1],
): Measured | null {
  const [only] = values;
  if (only === undefined) return null;
  if (values.length === 1) return { value: only, low: null, high: null, n: 1 };
  return { ...meanWithInterval(values, limits), n: values.length };
}

/** ρ_m, the ROC AUC of poisoned against clean models; null unless there are both. */
export function aucOf(poisoned: readonly number[], clean: readonly number[]): Measured | null {
  if (poisoned.length === 0 || clean.length === 0) return null;
  // The same stream for all intervals: the same records give the same table.
  const area = detectability(poisoned, clean, Random.fromSeed(0).fork("intervals"));
  const n = { n: poisoned.length, against: clean.length };
  if (poisoned.length === 1 && clean.length === 1) {
    return { value: area.value, low: null, high: null, ...n };
  }
  return { ...bounded(area), ...n };
}

function bounded({ value, low, high }: Estimate) {
  return { value, low, high };
}
