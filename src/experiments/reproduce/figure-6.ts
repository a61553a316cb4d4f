import type { Artefact, Chart, Point } from "./artefact.ts";
import { meanOf } from "./measured.ts";
import type { Group, RepairResult, Results } from "./results.ts";
import { onScale } from "./scales.ts";
import { settingsOf } from "./settings.ts";

const REPAIR = "pivotal-tuning";
const ATTACKS = ["badnets", "c-badnets"] as const;

/** Models of a curve; a scale may have fewer. */
const MODELS = 3;

/** Figure 6: integrity against utility while Pivotal Tuning repairs, a curve for every number of poisoned images. */
export const figure6: Artefact = {
  name: "figure-6",
  title: "Figure 6: accuracy and attack success during the repair",
  experiments: (scale) => [
    onScale(scale, "figure-6", {
      attacks: ATTACKS.map((name) => ({
        ...{ name, poisoned: (scale.curves ?? scale.amounts)[name] },
        boost: scale.poison["badnets"]?.boost ?? 1,
      })),
      repairs: [REPAIR],
      ...{ seeds: Math.min(MODELS, scale.models.perAmount), cleanModels: 0 },
      trusted: [...scale.shares.slice(0, 1)],
    }),
  ],
  read([results]) {
    return {
      ...{ kind: "figure", name: "figure-6", title: this.title },
      panels: ATTACKS.map((attack) => panel(attack, results.attacked(attack), results)),
      notes: [
        "Every point is a checkpoint of Pivotal Tuning, judged on test images: means over models, with 95 % intervals of the CDA where there are several.",
        "Of BadNets the paper states that a model poisoned with m = 10 images is repaired at a loss of about one point of CDA, one with m = 2000 at nearly two.",
        ...settingsOf(results),
      ],
    };
  },
};

function panel(attack: string, groups: readonly Group[], results: Results): Chart {
  return {
    ...{ kind: "chart", title: attack },
    x: { label: "ASR", scale: "linear", share: true },
    y: { label: "CDA", scale: "linear", share: true },
    series: groups.flatMap(({ models, poisoned }) => {
      const points = curveOf(results.repairs(models, REPAIR));
      return points.length > 0 ? [{ name: `m = ${poisoned}`, mark: "line" as const, points }] : [];
    }),
  };
}

/** The mean of several repairs at every step that all of them have. */
function curveOf(repairs: readonly RepairResult[]): Point[] {
  const curves = repairs.flatMap(({ outcome }) => (outcome ? [outcome.curve] : []));
  const [first = []] = curves;
  return first.flatMap(({ step }) => {
    const at = curves.flatMap((curve) => curve.find((point) => point.step === step) ?? []);
    if (at.length < curves.length) return [];
    const success = meanOf(at.map(({ attackSuccess }) => attackSuccess?.value ?? 0));
    const accuracy = meanOf(at.map(({ accuracy }) => accuracy.value));
    if (!success || !accuracy) return [];
    const { value: y, low, high, n } = accuracy;
    const label = step === 0 ? { label: "suspect" } : {};
    return [{ x: success.value, y, low, high, n, ...label }];
  });
}
