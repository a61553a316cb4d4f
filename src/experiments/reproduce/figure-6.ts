import type { Artefact, Chart } from "./artefact.ts";
import type { Group, Results } from "./results.ts";
import { onScale } from "./scales.ts";

const REPAIR = "pivotal-tuning";
const ATTACKS = ["badnets", "c-badnets"] as const;

/** Figure 6: integrity against utility while Pivotal Tuning repairs, a curve for every number of poisoned images. */
export const figure6: Artefact = {
  name: "figure-6",
  title: "Figure 6: accuracy and attack success during the repair",
  experiments: (scale) => [
    onScale(scale, "figure-6", {
      attacks: ATTACKS.map((name) => ({
        ...{ name, poisoned: scale.amounts[name] },
        boost: scale.poison["badnets"]?.boost ?? 1,
      })),
      repairs: [REPAIR],
      ...{ seeds: 1, cleanModels: 0, trusted: [...scale.shares.slice(0, 1)] },
    }),
  ],
  read([results]) {
    return {
      ...{ kind: "figure", name: "figure-6", title: this.title },
      panels: ATTACKS.map((attack) => panel(attack, results.attacked(attack), results)),
      notes: [
        "Every point is a checkpoint of Pivotal Tuning, judged on test images; one model per curve.",
      ],
    };
  },
};

function panel(attack: string, groups: readonly Group[], results: Results): Chart {
  return {
    ...{ kind: "chart", title: attack },
    x: { label: "ASR", scale: "linear", share: true },
    y: { label: "CDA", scale: "linear", share: true },
    series: groups.flatMap(({ models, poisoned }) =>
      results.repairs(models, REPAIR).flatMap(({ outcome }) =>
        outcome
          ? [
              {
                ...{ name: `m = ${poisoned}`, mark: "line" as const },
                points: outcome.curve.map(({ step, accuracy, attackSuccess }) => ({
                  ...{ x: attackSuccess?.value ?? 0, y: accuracy.value },
                  ...(step === 0 ? { label: "suspect" } : {}),
                })),
              },
            ]
          : [],
      ),
    ),
  };
}
