import { Random } from "../../core/random.ts";
import { bootstrappedMean, type Estimate } from "../../core/ranking.ts";
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

/** The stream of all intervals: the same records give the same table. */
const random = () => Random.fromSeed(0).fork("intervals");

/** The mean over models; null if there are none. */
export function meanOf(values: readonly number[]): Measured | null {
  const [only] = values;
  if (only === undefined) return null;
  if (values.length === 1) return { value: only, low: null, high: null, n: 1 };
  return { ...bounded(bootstrappedMean(values, random())), n: values.length };
}

/** ρ_m, the ROC AUC of poisoned against clean models; null unless there are both. */
export function aucOf(poisoned: readonly number[], clean: readonly number[]): Measured | null {
  if (poisoned.length === 0 || clean.length === 0) return null;
  const area = detectability(poisoned, clean, random());
  const n = { n: poisoned.length, against: clean.length };
  if (poisoned.length === 1 && clean.length === 1) {
    return { value: area.value, low: null, high: null, ...n };
  }
  return { ...bounded(area), ...n };
}

function bounded({ value, low, high }: Estimate) {
  return { value, low, high };
}
