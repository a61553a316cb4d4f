import type { Artefact, Point, Series } from "./artefact.ts";
import { aucOf, meanOf } from "./measured.ts";
import { FIGURE_7, TABLED_ATTACKS } from "./paper.ts";
import { type Results, valuesOf } from "./results.ts";
import { onScale } from "./scales.ts";
import { scoresOf } from "./scores.ts";

const REPAIR = "pivotal-tuning";
const DETECTOR = "calibrated-trigger-inversion";
/** Attacks that poison data, and attacks that poison code. */
const FAMILIES = {
  "data poisoning": [...TABLED_ATTACKS, "tsb"],
  "code poisoning": ["pcb"],
} as const;

/** Figure 7: robustness against detectability of every attack, with the two Pareto fronts. */
export const figure7: Artefact = {
  name: "figure-7",
  title: "Figure 7: robustness against detectability",
  experiments: (scale) => [
    onScale(scale, "figure-7", {
      attacks: Object.values(FAMILIES)
        .flat()
        .map((name) => ({ name })),
      repairs: [REPAIR],
      detectors: [DETECTOR],
      ...{ seeds: scale.models.poisoned, cleanModels: scale.models.clean },
      // The adaptive attacks are judged against r = 5 %, the largest share.
      trusted: scale.shares.slice(-1),
    }),
  ],
  read([results]) {
    const families = Object.entries(FAMILIES).map(([family, attacks]) => ({
      family,
      points: attacks.flatMap((attack) => pointOf(results, attack)),
    }));
    const code = families.flatMap(({ points }) => points);
    return {
      ...{ kind: "figure", name: "figure-7", title: this.title },
      panels: [
        {
          ...{ kind: "chart", title: "attacks" },
          x: { label: "detectability (ROC AUC)", scale: "linear", limits: [0, 1] },
          y: { label: "robustness (ASR after the repair)", scale: "linear", share: true },
          series: [
            ...families.map(({ family, points }) => ({
              name: family,
              mark: "dots" as const,
              points,
            })),
            // Who owns the code can poison data as well.
            front("Pareto front, data", "data poisoning", families[0]!.points),
            front("Pareto front, code", "code poisoning", code),
            {
              ...{ name: "paper", mark: "dots", paper: true },
              points: Object.entries(FIGURE_7).map(([label, { robustness, auc }]) => ({
                ...{ x: auc, y: robustness, label },
              })),
            },
          ],
        },
      ],
      notes: [
        "Robustness: ASR at the oracle stop of Pivotal Tuning, mean over models.",
        "An attack is on a front if no other one is both more robust and less detectable.",
      ],
    };
  },
};

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
  return [{ x: auc.value, y, ...rest, label: attack }];
}

/** The points that no other one beats in both: less detectable (x) and more robust (y); by ascending x. */
export function paretoFront(points: readonly Point[]): Point[] {
  const front: Point[] = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (front.every((other) => other.y < point.y)) front.push(point);
  }
  return front;
}
