import type { Judgement } from "./judge.ts";

/** A point of a repair, as the judge sees it. */
export interface JudgedPoint extends Judgement {
  readonly step: number;
}

/**
 * The point that somebody would choose who knows the test images and the trigger: the lowest attack success among
 * those with CDA ≥ CDA₀ − Δ, the first of equals. This is what the paper reports.
 * @param points the suspect first (step 0)
 * @param allowedDrop Δ, as a share
 */
export function oracleChoice<P extends JudgedPoint>(
  points: readonly [P, ...P[]],
  allowedDrop: number,
): P {
  const [suspect] = points;
  // A little less, for rounding.
  const least = suspect.accuracy.value - allowedDrop - 1e-9;
  const keeping = points.filter(({ accuracy }) => accuracy.value >= least);
  const success = ({ attackSuccess }: P) => attackSuccess?.value ?? 0;
  return keeping.reduce((best, point) => (success(point) < success(best) ? point : best), suspect);
}
