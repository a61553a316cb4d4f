import { detectabilityOf, robustnessOf } from "../figure-7.ts";
import type { Measured } from "../measured.ts";
import type { Results } from "../results.ts";
import { onScale, type Scale } from "../scales.ts";
import { type Finding, missing, percent } from "./finding.ts";

/** The attack that larger networks are compared by. */
const COMPARED = "badnets";

/** The same as Figure 7 for one attack, with networks twice as wide. */
export function largerNetworks(scale: Scale) {
  return onScale({ ...scale, width: 2 * scale.width }, "larger", {
    attacks: [{ name: COMPARED }],
    ...{ repairs: ["pivotal-tuning"], detectors: ["calibrated-trigger-inversion"] },
    ...{ seeds: scale.models.perAttack, cleanModels: scale.models.clean },
    trusted: scale.shares.slice(-1),
  });
}

interface Both {
  readonly robustness: Measured;
  readonly auc: Measured;
}

/** Backdoors in larger networks are more robust and more detectable, both with intervals that do not meet. */
export function size(smaller: Results, larger: Results): Finding {
  const [small, large] = [bothOf(smaller), bothOf(larger)];
  if (!small || !large) return missing(`${COMPARED} in networks of two widths`);
  const evidence = `${COMPARED}, narrow: ${inWords(small)}; twice as wide: ${inWords(large)}; 95 % intervals`;
  if (isAbove(large, small)) return { verdict: "holds", evidence };
  return { verdict: isAbove(small, large) ? "fails" : "undecided", evidence };
}

function bothOf(results: Results): Both | undefined {
  const [robustness, auc] = [robustnessOf(results, COMPARED), detectabilityOf(results, COMPARED)];
  return robustness && auc ? { robustness, auc } : undefined;
}

/** Whether one is more robust and more detectable than the other. */
function isAbove(one: Both, other: Both): boolean {
  const clear = ({ low }: Measured, { high }: Measured) =>
    low !== null && high !== null && low > high;
  return clear(one.robustness, other.robustness) && clear(one.auc, other.auc);
}

function inWords({ robustness, auc }: Both): string {
  const digits = (value: number) => value.toFixed(2);
  return `robustness ${measured(robustness, percent)}, ROC AUC ${measured(auc, digits)}, n = ${robustness.n}`;
}

function measured({ value, low, high }: Measured, said: (value: number) => string): string {
  return low === null || high === null
    ? said(value)
    : `${said(value)} (${said(low)} to ${said(high)})`;
}
