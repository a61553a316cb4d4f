import { leadingOf } from "../../grid/trial-record.ts";
import { TABLED_ATTACKS } from "../paper.ts";
import { lossUntilRepaired, REPAIRED } from "../repaired.ts";
import type { Results } from "../results.ts";
import { type Finding, missing, mostly, percent } from "./finding.ts";

/** Cosine below which two triggers are unlike. */
export const ALIKE = 0.5;

/** Of the models that the detector finds, by their target, most are found by a trigger unlike the true one. */
export function reconstruction(results: Results): Finding {
  const attacks = results.groups.filter(({ attack }) => attack !== null);
  const looked = attacks.flatMap(({ attack, models }) =>
    models.flatMap((model) =>
      results
        .detections([model], "calibrated-trigger-inversion")
        .map(({ outcome }) => ({ attack, outcome, target: model.config.target })),
    ),
  );
  const done = looked.flatMap(({ outcome, ...about }) => (outcome ? [{ ...about, outcome }] : []));
  const found = done.flatMap(({ attack, target, outcome }) => {
    const { fidelity } = outcome;
    const leads = leadingOf(outcome)?.target === target;
    return fidelity && leads ? [{ attack, cosine: fidelity.cosine }] : [];
  });
  if (found.length === 0) return missing("detections of poisoned models (Figure 7)");
  const unlike = found.filter(({ cosine }) => cosine < ALIKE);
  const each = [...new Set(found.map(({ attack }) => attack))].map((attack) => {
    const of = (some: typeof found) => some.filter((one) => one.attack === attack).length;
    return `${attack} ${of(unlike)} of ${of(found)}`;
  });
  const open = looked.length - done.length;
  const cases = { measured: found.length, planned: found.length + open };
  const said = `the target leads in ${found.length} of ${done.length} poisoned models; in ${unlike.length} of these the trigger found for it has a cosine below ${ALIKE} with the true one: ${each.join(", ")}`;
  return mostly(unlike.length, cases, said);
}

/**
 * The repair of Neural Cleanse fails often since its trigger is unlike the true one: so that no checkpoint is repaired, whatever it
 * costs. With the smallest number of trusted images that every attack was tried with.
 */
export function repairByTrigger(results: Results): Finding {
  const planned = (r: number) =>
    TABLED_ATTACKS.flatMap((attack) =>
      results.repairs(results.modelsOf(attack), "neural-cleanse", r),
    );
  const complete = results.trusted.find(
    (r) => planned(r).length > 0 && planned(r).every(({ outcome }) => outcome),
  );
  const r = complete ?? results.trusted.find((some) => planned(some).length > 0) ?? 0;
  const outcomes = planned(r).flatMap(({ outcome }) => outcome ?? []);
  if (outcomes.length === 0) return missing("Neural Cleanse's repair (Table III)");
  const never = outcomes.filter((outcome) => lossUntilRepaired(outcome) === undefined).length;
  const within = outcomes.filter(({ oracle }) => (oracle.attackSuccess?.value ?? 0) > REPAIRED);
  const said = `with r = ${r} Neural Cleanse's repair leaves more than ${percent(REPAIRED, 0)} within Δ in ${within.length} of ${outcomes.length} cases, and in ${never} at every checkpoint, whatever accuracy it costs`;
  return mostly(never, { measured: outcomes.length, planned: planned(r).length }, said);
}
