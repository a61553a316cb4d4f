import type { RepairOutcome } from "../grid/trial-record.ts";

/** ASR up to which a model counts as repaired. */
export const REPAIRED = 0.05;

/** The smallest loss of accuracy at a checkpoint that is repaired, as a share; undefined if none is. */
export function lossUntilRepaired({
  before,
  curve,
}: Pick<RepairOutcome, "before" | "curve">): number | undefined {
  const losses = curve
    .filter(({ attackSuccess }) => (attackSuccess?.value ?? 0) <= REPAIRED)
    .map(({ accuracy }) => before.accuracy.value - accuracy.value);
  return losses.length > 0 ? Math.min(...losses) : undefined;
}
