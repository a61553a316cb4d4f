import type { Source } from "../core/method.ts";
import { outlierTail } from "../core/statistics.ts";
import { type Examined, usualAmong } from "./examined.ts";
import type { LargestMargin } from "./largest-margins.ts";

/** Where comparing classes by their largest margins comes from. */
export const MM_BD: Omit<Source, "deviations"> = {
  paper: "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types",
  authors: "Wang, Xiang, Miller & Kesidis",
  year: 2024,
  section: "3",
};

/** A class beside the others by its largest margin. */
export interface MarginOutlier {
  /** p for the most extreme of K classes, if the others' margins are a normal sample; 1 where they are too few. */
  readonly p: number;
}

/**
 * How unlikely every class's largest margin is among those of the others, in their order.
 * @param classes K, by default as many as there are margins
 * @param examined which classes they are and which are a sample of all K; by default all
 */
export function marginOutliers(
  found: readonly LargestMargin[],
  classes = found.length,
  examined?: Examined,
): MarginOutlier[] {
  const margins = found.map(({ margin }) => margin);
  const targets = found.map(({ target }) => target);
  return found.map(({ target, margin }) => {
    const p = outlierTail(margin, usualAmong(margins, targets, examined, target))?.p ?? 1;
    return { p: Math.min(1, classes * p) };
  });
}
