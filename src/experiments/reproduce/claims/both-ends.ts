import { CODE_POISONING, DATA_POISONING, detectabilityOf } from "../figure-7.ts";
import { TABLE_2 } from "../paper.ts";
import { lossUntilRepaired, REPAIRED } from "../repaired.ts";
import { type Results, valuesOf } from "../results.ts";
import { type Finding, missing, models, percent } from "./finding.ts";

const REPAIR = "pivotal-tuning";

/** ROC AUC up to which an attack counts as hard to detect: the highest of Table II, whose attacks the paper calls so. */
export const HARD_TO_DETECT = Math.max(...Object.values(TABLE_2).map(({ auc }) => auc));

/** Largest loss of accuracy that counts as little: what the paper calls limited, without a number. */
export const LITTLE = 0.05;

/**
 * An attack on the data that is hard to detect is repaired at little loss of accuracy (Sections V-E3 and V-F); poisoned code is
 * told beside it, since the paper excepts PCB.
 */
export function bothEnds(results: Results): Finding {
  const found = [...DATA_POISONING, ...CODE_POISONING].map((attack) => judged(results, attack));
  const known = found.flatMap((one) => one ?? []);
  const onData = known.filter(({ attack }) => !CODE_POISONING.some((code) => code === attack));
  if (onData.length === 0) return missing("detection and repair of attacks (Figure 7)");
  const evidence = known.map(({ said }) => said).join("; ");
  const hidden = onData.filter(({ isHidden }) => isHidden);
  if (hidden.some(({ loss }) => loss > LITTLE)) return { verdict: "fails", evidence };
  const unknown = DATA_POISONING.filter((attack) => !onData.some((one) => one.attack === attack));
  const all = [evidence, ...unknown.map((attack) => `${attack}: not measured`)].join("; ");
  const holds = hidden.length > 0 && unknown.length === 0;
  return { verdict: holds ? "holds" : "undecided", evidence: all };
}

/** An attack whose backdoors work: whether it is hard to detect, and the largest loss until a model is repaired. */
function judged(results: Results, attack: string) {
  const auc = detectabilityOf(results, attack);
  const worked = results
    .repairs(results.modelsOf(attack), REPAIR)
    .filter(({ outcome }) => (outcome?.before.attackSuccess?.value ?? 0) > REPAIRED);
  if (!auc || worked.length === 0) return undefined;
  const losses = valuesOf(
    worked,
    (outcome) => lossUntilRepaired(outcome) ?? Number.POSITIVE_INFINITY,
  );
  const loss = Math.max(...losses);
  const repaired = Number.isFinite(loss)
    ? `repaired at a loss of at most ${percent(loss)}`
    : "not every one is repaired at any checkpoint";
  const isHidden = auc.value <= HARD_TO_DETECT;
  return {
    ...{ attack, isHidden, loss },
    said: `${attack}: ROC AUC ${auc.value.toFixed(2)}${isHidden ? ", hard to detect" : ""}, ${repaired} (${models(losses.length)})`,
  };
}
