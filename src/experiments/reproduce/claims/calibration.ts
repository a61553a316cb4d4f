import { Random } from "../../../core/random.ts";
import { rocDifference } from "../../../core/ranking.ts";
import type { Estimate } from "../../../core/statistics.ts";
import { type Group, type ModelResult, type Results, valuesOf } from "../results.ts";
import { paperScore } from "../scores.ts";
import { type Finding, missing } from "./finding.ts";

/** Models of either kind below which a bootstrap is too narrow to decide anything. */
export const FEWEST = 5;

/** A model's score by Calibrated Trigger Inversion, and by Neural Cleanse. */
type Pair = readonly [number, number];

/**
 * Calibrated Trigger Inversion detects more than Neural Cleanse with every amount of poison. It holds if each difference is above
 * nothing with 95 %, and fails if one is below it with 95 % for all of them together (Bonferroni).
 */
export function calibration(results: Results): Finding {
  const groups = ["badnets", "c-badnets"].flatMap((attack) => results.attacked(attack));
  const clean = pairsOf(results, results.clean);
  const compared = groups.flatMap((group) => {
    const poisoned = pairsOf(results, group.models);
    return poisoned.length < 2 || clean.length < 2 ? [] : [{ group, poisoned }];
  });
  if (compared.length === 0) return missing("both detectors on several models (Figure 5)");
  const left = groups.filter((group) => !compared.some((one) => one.group === group));
  const apart = (poisoned: readonly Pair[], confidence?: number) =>
    rocDifference(poisoned, clean, Random.fromSeed(0).fork("claims"), confidence);
  const all = compared.flatMap(({ poisoned }) => poisoned);
  const evidence = [
    ...compared.map(({ group, poisoned }) => `${named(group)}: ${interval(apart(poisoned))}`),
    ...left.map((group) => `${named(group)}: not measured`),
    `all ${all.length} against ${clean.length} clean models: ${interval(apart(all))}`,
  ].join("; ");
  const said = `difference of ROC AUC with its 95 % interval (paired bootstrap): ${evidence}`;
  const enough = compared.filter(({ poisoned }) => poisoned.length >= FEWEST);
  if (clean.length < FEWEST || enough.length === 0) {
    const few = `fewer than ${FEWEST} models of a kind decide nothing`;
    return { verdict: "undecided", evidence: `${said}; ${few}` };
  }
  const together = 1 - 0.05 / groups.length;
  if (enough.some(({ poisoned }) => apart(poisoned, together).high < 0)) {
    return { verdict: "fails", evidence: said };
  }
  const holds = enough.every(({ poisoned }) => apart(poisoned).low > 0);
  return {
    verdict: enough.length === groups.length && holds ? "holds" : "undecided",
    evidence: said,
  };
}

/** Of the models that both have examined. */
function pairsOf(results: Results, models: readonly ModelResult[]): Pair[] {
  return models.flatMap((model) => {
    const of = (detector: string) =>
      valuesOf(results.detections([model], detector), paperScore(detector))[0];
    const [calibrated, other] = [of("calibrated-trigger-inversion"), of("neural-cleanse")];
    return calibrated === undefined || other === undefined ? [] : [[calibrated, other] as const];
  });
}

const interval = ({ value, low, high }: Estimate) =>
  `${signed(value)} [${signed(low)}, ${signed(high)}]`;
const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const named = ({ attack, poisoned }: Group) => `${attack} m = ${poisoned}`;
