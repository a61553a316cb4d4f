import type { Artefact, TableCell } from "./artefact.ts";
import { bothEnds, HARD_TO_DETECT, LITTLE } from "./claims/both-ends.ts";
import { calibration } from "./claims/calibration.ts";
import { dataEfficiency } from "./claims/data-efficiency.ts";
import { type Finding, percent } from "./claims/finding.ts";
import { ALIKE, reconstruction, repairByTrigger } from "./claims/reconstruction.ts";
import { largerNetworks, size } from "./claims/size.ts";
import { figure5 } from "./figure-5.ts";
import { figure7 } from "./figure-7.ts";
import { REPAIRED } from "./repaired.ts";
import { Results } from "./results.ts";
import { table3 } from "./table-3.ts";

const NOTHING = new Results([]);

/** Section V-F: every claim of the paper's summary, with what our records say about it. */
export const claims: Artefact = {
  name: "claims",
  title: "Section V-F: the claims of the paper",
  experiments: (scale) => [
    ...table3.experiments(scale),
    ...figure5.experiments(scale),
    ...figure7.experiments(scale),
    largerNetworks(scale),
  ],
  read([tabled, overAmounts = NOTHING, surveyed = NOTHING, larger = NOTHING]) {
    const rows: readonly (readonly [string, Finding])[] = [
      [
        "Pivotal Tuning is the most data-efficient repair, by about a factor of two",
        dataEfficiency(tabled),
      ],
      [
        "Calibrated Trigger Inversion detects more than Neural Cleanse at every m",
        calibration(overAmounts),
      ],
      [
        "Attacks that are robust and undetectable at once are repaired at little loss of accuracy",
        bothEnds(surveyed),
      ],
      [
        "Detection is not reconstruction: triggers that give a backdoor away are unlike the true one",
        reconstruction(surveyed),
      ],
      ["Repair with the reconstructed trigger often fails", repairByTrigger(tabled)],
      ["Backdoors in larger models are more robust and more detectable", size(surveyed, larger)],
    ];
    return {
      ...{ kind: "table", name: "claims", title: this.title },
      head: ["claim", "verdict", "evidence"],
      rows: rows.map(([claim, { verdict, evidence }]): TableCell[] => [claim, verdict, evidence]),
      notes: [
        `Repaired means an ASR of at most ${percent(REPAIRED)} at the oracle stop within Δ.`,
        `What the paper states without numbers is read so: hard to detect is a ROC AUC of at most ${HARD_TO_DETECT}, the highest of its Table II; little is ${percent(LITTLE, 0)} of accuracy; unlike is a cosine below ${ALIKE}; often, and most, is a share whose 95 % interval lies above a half.`,
        "The paper makes the first claim of ImageNet, with r = 2.5 %; of CIFAR-10 it says that r = 1 % repairs every attack, which no other repair does (Section V-E2). The third one is about attacks on the data: PCB, which poisons code, evades the repair there, too. The last one is about CLIP beside ResNet-18; here networks are twice as wide.",
      ],
    };
  },
};
