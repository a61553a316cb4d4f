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
  /** ln r_c; a class that no image is put into counts like the least of the others. */
  readonly logMargin: number;
  /** p for the most extreme of K classes, if the others' ln r are a normal sample; 1 where they are too few. */
  readonly p: number;
}

/** How unlikely every class's largest margin is among those of the others, in their order. */
export function marginOutliers(found: readonly LargestMargin[]): MarginOutlier[] {
  const positive = found.map(({ margin }) => margin).filter((margin) => margin > 0);
  const least = positive.length > 0 ? Math.min(...positive) : 1;
  const logs = found.map(({ margin }) => Math.log(Math.max(margin, least)));
  return logs.map((logMargin, index) => {
    const others = logs.filter((_, other) => other !== index);
    const p = outlierTail(logMargin, others)?.p ?? 1;
    return { logMargin, p: Math.min(1, logs.length * p) };
  });
}
