import type { Artefact, Chart, Point, Series } from "./artefact.ts";
import { aucOf, type Measured, meanOf } from "./measured.ts";
import { FIGURE_7, TABLED_ATTACKS } from "./paper.ts";
import { lossUntilRepaired, REPAIRED } from "./repaired.ts";
import { type ModelResult, type Results, valuesOf } from "./results.ts";
import { onScale, type Scale } from "./scales.ts";
import { scoresOf } from "./scores.ts";
import { settingsOf } from "./settings.ts";

const REPAIR = "pivotal-tuning";
const DETECTOR = "calibrated-trigger-inversion";
export const DATA_POISONING = [...TABLED_ATTACKS, "tsb"] as const;
export const CODE_POISONING = ["pcb"] as const;
const FAMILIES = { "data poisoning": DATA_POISONING, "code poisoning": CODE_POISONING } as const;
const ATTACKS = Object.values(FAMILIES).flat();

/** Figure 7: robustness against detectability of every attack, with the two Pareto fronts. */
export const figure7: Artefact = {
  name: "figure-7",
  title: "Figure 7: robustness against detectability",
  // The adaptive attacks are judged against r = 5 %, the largest share.
  experiments: (scale) => [surveyed(scale, "figure-7", scale.shares.slice(-1))],
  read([results]) {
    const panel = survey(results);
    const paper: Series = {
      ...{ name: "paper", mark: "dots", paper: true },
      points: Object.entries(FIGURE_7).map(([label, { robustness, auc }]) => ({
        ...{ x: robustness, y: auc, label },
      })),
    };
    return {
      ...{ kind: "figure", name: this.name, title: this.title },
      panels: [{ ...panel, series: [...panel.series, paper] }],
      notes: [
        ...notesOn(results),
        "The paper's points are those of its Tables II and III; PCB's are bounds, a robustness of at least 75 % at an AUC of at most 0.66. TSB's robustness is at least 35 % there, and its detectability high, without a number.",
      ],
    };
  },
};

/** Section V-E4: the same for models that go on from CLIP, and what it costs to repair them fully. */
export const figure7Clip: Artefact = {
  name: "figure-7-clip",
  title: "Figure 7 and Section V-E4: robustness against detectability, CLIP",
  experiments: (scale) => [surveyed(scale, "figure-7-clip", scale.shares.slice(0, 1))], // r = 1 %
  read([results]) {
    return {
      ...{ kind: "figure", name: this.name, title: this.title },
      panels: [survey(results), costs(results)],
      notes: [
        ...notesOn(results),
        `Full repair: the smallest loss of accuracy at a checkpoint with an ASR of at most ${100 * REPAIRED} %, mean over those models that have one, of models whose attack worked before; in brackets how many of how many.`,
        "The paper states no numbers by attack: most backdoors are not repaired within 2 points, full repair costs up to 8, and detection stays reliable.",
      ],
    };
  },
};

function notesOn(results: Results): string[] {
  const unknown = ATTACKS.filter((attack) => pointOf(results, attack).length === 0);
  return [
    "Robustness: ASR at the oracle stop of Pivotal Tuning, mean over models. Detectability: ROC AUC of poisoned against clean models. Intervals: 95 %, over models.",
    "An attack is on a front if no other one is both more robust and less detectable.",
    ...(unknown.length > 0 ? [`Not measured, and so on no front: ${unknown.join(", ")}.`] : []),
    ...settingsOf(results),
  ];
}

/** Every attack, repaired and searched for. */
function surveyed(scale: Scale, name: string, trusted: readonly number[]) {
  return onScale(scale, name, {
    ...{ attacks: ATTACKS.map((name) => ({ name })), repairs: [REPAIR], detectors: [DETECTOR] },
    ...{ seeds: scale.models.perAttack, cleanModels: scale.models.clean, trusted },
  });
}

function survey(results: Results): Chart {
  const families = Object.entries(FAMILIES).map(([family, attacks]) => ({
    family,
    points: attacks.flatMap((attack) => pointOf(results, attack)),
  }));
  const code = families.flatMap(({ points }) => points);
  return {
    ...{ kind: "chart", title: "attacks" },
    x: { label: "robustness (ASR after the repair)", scale: "linear", share: true },
    y: { label: "detectability (ROC AUC)", scale: "linear", limits: [0, 1] },
    series: [
      ...families.map(({ family, points }) => ({ name: family, mark: "dots" as const, points })),
      // Who owns the code can poison data as well.
      front("Pareto front, data", "data poisoning", families[0]!.points),
      front("Pareto front, code", "code poisoning", code),
    ],
  };
}

/** The loss of accuracy at which each attack is repaired, for those that worked and are. */
function costs(results: Results): Chart {
  const losses = ATTACKS.flatMap((attack) => {
    const models = results.modelsOf(attack);
    const worked = results
      .repairs(models, REPAIR)
      .filter(({ outcome }) => (outcome?.before.attackSuccess?.value ?? 0) > REPAIRED);
    const loss = meanOf(valuesOf(worked, lossUntilRepaired), [-1, 1]);
    return loss ? [{ name: `${attack} (${loss.n} of ${worked.length})`, loss }] : [];
  });
  return {
    ...{ kind: "chart", title: "full repair" },
    x: { label: "attack", scale: "linear", names: losses.map(({ name }) => name) },
    y: { label: "loss of accuracy", scale: "linear", share: true },
    series: [
      {
        ...{ name: "loss", mark: "bars" },
        points: losses.map(({ loss: { value, low, high, n } }, x) => ({
          x,
          y: value,
          low,
          high,
          n,
        })),
      },
    ],
  };
}

function front(name: string, beside: keyof typeof FAMILIES, points: readonly Point[]): Series {
  return { name, mark: "front", beside, points: paretoFront(points) };
}

/** An attack's success at the oracle stop; null if it is not measured. */
export function robustnessOf(results: Results, attack: string): Measured | null {
  const repaired = results.repairs(results.modelsOf(attack), REPAIR);
  return meanOf(valuesOf(repaired, (outcome) => outcome.oracle.attackSuccess?.value));
}

/** ρ of an attack; null if it is not measured. */
export function detectabilityOf(results: Results, attack: string): Measured | null {
  const scores = (models: readonly ModelResult[]) => scoresOf(results, models, DETECTOR);
  return aucOf(scores(results.modelsOf(attack)), scores(results.clean));
}

/** The point of an attack, if it is measured. */
function pointOf(results: Results, label: string): Point[] {
  const [robustness, auc] = [robustnessOf(results, label), detectabilityOf(results, label)];
  if (!auc || !robustness) return [];
  const { value: x, low: xLow, high: xHigh, n } = robustness;
  const { value: y, low, high, against } = auc;
  return [{ x, xLow, xHigh, y, low, high, n, ...(against ? { against } : {}), label }];
}

/** The points that no other one beats in both: more robust (x) and less detectable (y); by ascending x. */
export function paretoFront(points: readonly Point[]): Point[] {
  const front: Point[] = [];
  for (const point of [...points].sort((a, b) => b.x - a.x || a.y - b.y)) {
    if (front.every((other) => other.y > point.y)) front.unshift(point);
  }
  return front;
}
