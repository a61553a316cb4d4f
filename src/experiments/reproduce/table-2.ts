import { PRESETS } from "../../attacks/presets.ts";
import type { Artefact, TableCell } from "./artefact.ts";
import { aucOf, meanOf } from "./measured.ts";
import { CLEAN_CDA, TABLE_2, TABLED_ATTACKS } from "./paper.ts";
import { valuesOf } from "./results.ts";
import { onScale } from "./scales.ts";
import { scoresOf } from "./scores.ts";
import { settingsOf } from "./settings.ts";

const DETECTOR = "calibrated-trigger-inversion";

/** Table II: what attacks cost in accuracy, how often they succeed, and how well they are detected. */
export const table2: Artefact = {
  name: "table-2",
  title: "Table II: undetectability of the surveyed attacks",
  experiments: (scale) => [
    onScale(scale, "table-2", {
      attacks: TABLED_ATTACKS.map((name) => ({ name })),
      detectors: [DETECTOR],
      ...{ seeds: scale.models.perAttack, cleanModels: scale.models.clean },
      trusted: scale.shares.slice(0, 1),
    }),
  ],
  read([results]) {
    const { clean } = results;
    const negatives = scoresOf(results, clean, DETECTOR);
    const accuracy = (models: typeof clean) => meanOf(valuesOf(models, (o) => o.accuracy.value));
    const rows = TABLED_ATTACKS.map((attack): TableCell[] => {
      const paper = TABLE_2[attack]!;
      const [group] = results.attacked(attack);
      const models = group?.models ?? [];
      const success = meanOf(valuesOf(models, (outcome) => outcome.attackSuccess?.value));
      const scores = scoresOf(results, models, DETECTOR);
      return [
        attack,
        beside(group?.poisoned, PRESETS.cifar10[attack].samples),
        beside(group?.boost, PRESETS.cifar10[attack].boost),
        { as: "share", measured: accuracy(models), paper: paper.cda },
        { as: "share", measured: success, paper: paper.asr },
        { as: "auc", measured: aucOf(scores, negatives), paper: paper.auc },
      ];
    });
    return {
      ...{ kind: "table", name: "table-2", title: this.title },
      head: ["attack", "m", "b", "CDA", "ASR", "ROC AUC"],
      rows: [
        [
          ...["no backdoor", "0", "0"],
          { as: "share", measured: accuracy(clean), paper: CLEAN_CDA },
          ...["", ""],
        ],
        ...rows,
      ],
      notes: [
        "m: poisoned images; b: how often each of them is shown. ROC AUC: Calibrated Trigger Inversion, poisoned against clean models.",
        "The paper's models are ResNet-18s of 64 channels, trained for 120 epochs. Of Adv its text states an ASR of 96 %, its table 98.",
        ...settingsOf(results),
      ],
    };
  },
};

/** An amount of ours, and the paper's where that is another one. */
function beside(ours: number | null | undefined, paper: number): string {
  if (ours == null) return "-";
  return ours === paper ? String(ours) : `${ours} (paper ${paper})`;
}
