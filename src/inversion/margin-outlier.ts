import type { Source } from "../core/method.ts";
import { outlierTail } from "../core/statistics.ts";
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

/** How unlikely every class's largest margin is among those of the others, in their order. */
export function marginOutliers(found: readonly LargestMargin[]): MarginOutlier[] {
  const margins = found.map(({ margin }) => margin);
  return margins.map((margin, index) => {
    const others = margins.filter((_, other) => other !== index);
    const p = outlierTail(margin, others)?.p ?? 1;
    return { p: Math.min(1, margins.length * p) };
  });
}
