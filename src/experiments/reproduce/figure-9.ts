import type { Artefact, Chart } from "./artefact.ts";
import type { ModelResult, Results } from "./results.ts";
import { onScale } from "./scales.ts";

const DETECTORS = ["neural-cleanse", "calibrated-trigger-inversion"] as const;

/** Figure 9: the scores of all classes of one backdoored model, two detectors. */
export const figure9: Artefact = {
  name: "figure-9",
  title: "Figure 9: anomaly scores of all classes",
  experiments: (scale) => [
    onScale(scale, "figure-9", {
      attacks: [{ name: "badnets" }],
      detectors: DETECTORS,
      ...{ seeds: 1, cleanModels: 0, trusted: [...scale.shares.slice(-1)] },
    }),
  ],
  read([results]) {
    const [model] = results.attacked("badnets").flatMap((group) => group.models);
    return {
      ...{ kind: "figure", name: "figure-9", title: this.title },
      panels: DETECTORS.map((detector) => panel(results, model, detector)),
      notes: [
        "One model with a BadNets backdoor; the class that it leads to is marked. The paper shows ImageNet.",
      ],
    };
  },
};

function panel(results: Results, model: ModelResult | undefined, detector: string): Chart {
  const [found] = model ? results.detections([model], detector) : [];
  const classes = found?.outcome?.classes ?? [];
  return {
    ...{ kind: "chart", title: detector },
    x: { label: "class", scale: "linear", names: classes.map(({ target }) => String(target)) },
    y: { label: found?.outcome?.statistic ?? "score", scale: "linear" },
    series: [
      {
        ...{ name: "score", mark: "bars" },
        points: classes.map(({ target, score }) => ({
          ...{ x: target, y: score },
          ...(target === model?.config.target ? { marked: true as const } : {}),
        })),
      },
    ],
  };
}
