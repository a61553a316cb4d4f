import type { Artefact, Chart, Point, Series } from "./artefact.ts";
import { aucOf, meanOf } from "./measured.ts";
import { FIGURE_7, TABLED_ATTACKS } from "./paper.ts";
import { lossUntilRepaired, REPAIRED } from "./repaired.ts";
import { type Results, valuesOf } from "./results.ts";
import { onScale, type Scale } from "./scales.ts";
import { scoresOf } from "./scores.ts";

const REPAIR = "pivotal-tuning";
const DETECTOR = "calibrated-trigger-inversion";
/** Attacks that poison data, and attacks that poison code. */
const FAMILIES = {
  "data poisoning": [...TABLED_ATTACKS, "tsb"],
  "code poisoning": ["pcb"],
} as const;
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
        ...{ x: auc, y: robustness, label },
      })),
    };
    return {
      ...{ kind: "figure", name: this.name, title: this.title },
      panels: [{ ...panel, series: [...panel.series, paper] }],
      notes: [
        ...NOTES,
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
        ...NOTES,
        `Full repair: the smallest loss of accuracy at a checkpoint with an ASR of at most ${100 * REPAIRED} %, mean over those models that have one, of models whose attack worked before; in brackets how many of how many.`,
        "The paper states no numbers by attack: most backdoors are not repaired within 2 points, full repair costs up to 8, and detection stays reliable.",
      ],
    };
  },
};

const NOTES = [
  "Robustness: ASR at the oracle stop of Pivotal Tuning, mean over models. Intervals are those of a bootstrap over models, 95 %; where all poisoned models score above all clean ones it has no width, however few there are.",
  "An attack is on a front if no other one is both more robust and less detectable.",
];

/** Every attack, repaired and searched for. */
function surveyed(scale: Scale, name: string, trusted: readonly number[]) {
  return onScale(scale, name, {
    ...{ attacks: ATTACKS.map((name) => ({ name })), repairs: [REPAIR], detectors: [DETECTOR] },
    ...{ seeds: scale.models.poisoned, cleanModels: scale.models.clean, trusted },
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
    x: { label: "detectability (ROC AUC)", scale: "linear", limits: [0, 1] },
    y: { label: "robustness (ASR after the repair)", scale: "linear", share: true },
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
    const models = results.attacked(attack).flatMap((group) => group.models);
    const worked = results
      .repairs(models, REPAIR)
      .filter(({ outcome }) => (outcome?.before.attackSuccess?.value ?? 0) > REPAIRED);
    const loss = meanOf(valuesOf(worked, lossUntilRepaired));
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

export function pointOf(results: Results, attack: string): Point[] {
  const models = results.attacked(attack).flatMap((group) => group.models);
  const clean = scoresOf(results, results.clean, DETECTOR);
  const auc = aucOf(scoresOf(results, models, DETECTOR), clean);
  const robustness = meanOf(
    valuesOf(results.repairs(models, REPAIR), (outcome) => outcome.oracle.attackSuccess?.value),
  );
  if (!auc || !robustness) return [];
  const { value: y, ...rest } = robustness;
  const { value: x, low: xLow, high: xHigh } = auc;
  return [{ ...{ x, xLow, xHigh }, ...{ y, ...rest, against: clean.length }, label: attack }];
}

/** The points that no other one beats in both: less detectable (x) and more robust (y); by ascending x. */
export function paretoFront(points: readonly Point[]): Point[] {
  const front: Point[] = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (front.every((other) => other.y < point.y)) front.push(point);
  }
  return front;
}
