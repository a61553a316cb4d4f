import type { Artefact } from "./artefact.ts";
import { onScale } from "./scales.ts";

const DETECTOR = "neural-cleanse";

/** Figure 4: what Neural Cleanse finds in clean models: triggers that look like the class, and work. */
export const figure4: Artefact = {
  name: "figure-4",
  title: "Figure 4: triggers that Neural Cleanse finds in clean models",
  experiments: (scale) => [
    onScale(scale, "figure-4", {
      detectors: [DETECTOR],
      ...{ cleanModels: Math.min(4, scale.models.clean), trusted: [...scale.shares.slice(0, 1)] },
    }),
  ],
  read([results]) {
    const found = results.detections(results.clean, DETECTOR);
    return {
      ...{ kind: "figure", name: "figure-4", title: this.title },
      panels: [
        {
          ...{ kind: "pictures", title: "most suspicious class of each clean model" },
          pictures: found.flatMap(({ outcome, trigger }) => {
            const leading = outcome?.classes.find(({ score }) => score === outcome.score);
            if (!leading || trigger === null) return [];
            const works = Math.round(100 * leading.success.suspect.value);
            return [{ path: trigger, caption: `class ${leading.target}, works on ${works} %` }];
          }),
        },
      ],
      notes: ["These models have no backdoor: every trigger shown is a false alarm in the making."],
    };
  },
};
