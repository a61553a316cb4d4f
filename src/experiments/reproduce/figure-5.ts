import type { Artefact, Chart, Series } from "./artefact.ts";
import { aucOf, type Measured, meanOf } from "./measured.ts";
import { FIGURE_5 } from "./paper.ts";
import { type Group, type Results, valuesOf } from "./results.ts";
import { onScale } from "./scales.ts";
import { scoresOf } from "./scores.ts";
import { settingsOf } from "./settings.ts";

const DETECTORS = ["calibrated-trigger-inversion", "neural-cleanse"] as const;
const ATTACKS = ["badnets", "c-badnets"] as const;

/** Figure 5: effectiveness η_m and detectability ρ_m over the number m of poisoned images. */
export const figure5: Artefact = {
  name: "figure-5",
  title: "Figure 5: effectiveness and detectability over the number of poisoned images",
  experiments: (scale) => [
    onScale(scale, "figure-5", {
      attacks: ATTACKS.map((name) => ({
        ...{ name, poisoned: scale.amounts[name] },
        boost: scale.poison["badnets"]?.boost ?? 1,
      })),
      detectors: DETECTORS,
      ...{ seeds: scale.models.perAmount, cleanModels: scale.models.clean },
      trusted: scale.shares.slice(0, 1),
    }),
  ],
  read([results]) {
    return {
      ...{ kind: "figure", name: "figure-5", title: this.title },
      panels: ATTACKS.map((attack) => panel(results, attack)),
      notes: [
        "ASR: mean over models. ROC AUC: poisoned against clean models. Bands: 95 % intervals over models.",
        "The paper's points are those that its text states.",
        ...unknown(results),
        ...settingsOf(results),
      ],
    };
  },
};

/** What is measured of the models of every attack and amount. */
function measures(results: Results) {
  return [
    {
      name: "ASR",
      measure: ({ models }: Group) =>
        meanOf(valuesOf(models, (outcome) => outcome.attackSuccess?.value)),
    },
    ...DETECTORS.map((detector) => ({
      name: `AUC ${detector}`,
      measure: ({ models }: Group) =>
        aucOf(scoresOf(results, models, detector), scoresOf(results, results.clean, detector)),
    })),
  ];
}

/** Names the points that are missing where a line goes on without them. */
function unknown(results: Results): string[] {
  const points = ATTACKS.flatMap((attack) =>
    results.attacked(attack).flatMap((group) =>
      measures(results)
        .filter(({ measure }) => measure(group) === null)
        .map(({ name }) => `${attack} m = ${group.poisoned} (${name})`),
    ),
  );
  return points.length > 0 ? [`Not measured: ${points.join(", ")}.`] : [];
}

function panel(results: Results, attack: (typeof ATTACKS)[number]): Chart {
  const groups = results.attacked(attack);
  const paper = FIGURE_5[attack] ?? [];
  const series = (name: string, measure: (group: Group) => Measured | null): Series => ({
    name,
    mark: "line",
    points: groups.flatMap((group) => {
      const measured = measure(group);
      if (!measured) return [];
      const { value, ...rest } = measured;
      return [{ x: group.poisoned!, y: value, ...rest }];
    }),
  });
  return {
    ...{ kind: "chart", title: attack },
    x: { label: "poisoned images m", scale: "log" },
    y: { label: "ASR, ROC AUC", scale: "linear", limits: [0, 1] },
    series: [
      ...measures(results).map(({ name, measure }) => series(name, measure)),
      {
        name: "ASR, paper",
        mark: "dots",
        paper: true,
        beside: "ASR",
        points: paper.map(({ m, asr }) => ({ x: m, y: asr })),
      },
      {
        name: "AUC, paper",
        mark: "dots",
        paper: true,
        beside: `AUC ${DETECTORS[0]}`,
        points: paper.map(({ m, auc }) => ({ x: m, y: auc })),
      },
    ],
  };
}
