import { z } from "zod";
import { targetsAmong } from "../inversion/examined.ts";
import { invertTriggers } from "../inversion/invert.ts";
import { additiveFamily } from "../inversion/trigger-family.ts";
import { type Detector, detection, works } from "./detector.ts";
import { measureTriggers } from "./measure.ts";

const config = z.strictObject({
  score: z
    .enum(["success-difference", "algorithm-4", "success-and-accuracy"])
    .default("success-difference")
    .describe("how the evidence of a class becomes its score"),
  steps: z.int().min(1).default(50).describe("N, Adam steps per group of classes"),
  images: z.int().min(1).default(64).describe("trusted images per class and step"),
  classesPerStep: z.int().min(1).default(2).describe("classes that share a step"),
  learningRate: z.number().positive().default(0.01).describe("learning rate of Adam (β 0.5, 0.9)"),
  suspectWeight: z.number().min(0).default(1).describe("weight of CE(f_suspect(x⊕T), c)"),
  repairedWeight: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of CE(f_repaired(x⊕T), y); the released code uses 0.5"),
  budget: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe("largest L2 norm of the trigger; null for none, as in the paper"),
});

/**
 * Calibrated Trigger Inversion: for every class an additive trigger is searched that the suspect obeys
 * and the repaired model does not. Natural features of a class work on both, so they are no candidates.
 *
 *     min_T  w_s·CE(f̃(x⊕T), c) + w_r·CE(f*(x⊕T), y),  x not of class c
 */
export const calibratedTriggerInversion: Detector<typeof config> = {
  name: "calibrated-trigger-inversion",
  summary:
    "Searches for every class a trigger that works on the suspect but not on a repaired copy.",
  source: {
    paper: "Pick your Poison: Undetectability versus Robustness in Data Poisoning Attacks",
    authors: "Lukas & Kerschbaum",
    year: 2023,
    section: "IV-B, Algorithm 4",
    deviations: [
      "Images of class c are left out of its search, as in the released code.",
      "The default score is the released code's; line 10 as printed ranks a removed backdoor lowest.",
      "Works over any repair; without a random flip of the images.",
    ],
  },
  config,
  needsRepair: true,
  kinds: () => ["additive"],
  async run(context, input, options) {
    const { model, repaired, search: images } = input;
    const targets = targetsAmong(model.classes, input.examined);
    const found = await invertTriggers(
      context,
      { suspect: model, repaired },
      images,
      targets,
      { ...options, family: additiveFamily({ budget: options.budget ?? undefined }) },
      "calibrated inversion",
    );
    const measured = await measureTriggers(context, input, found);
    return detection(
      options.score,
      measured.map(({ target, trigger, size, success, kept }) => {
        const moved = success.suspect.value;
        const score = {
          // Acc(D_psn,c; θ̃) − Acc(D_psn,c; θ*), the released code
          "success-difference": moved - success.repaired.value,
          // Acc(D_psn,c; θ̃) − Acc(D_psn,Y; θ*), line 10 as printed
          "algorithm-4": moved - kept.value,
          // Acc(D_psn,c; θ̃) + Acc(D_psn,Y; θ*), what line 7 optimises
          "success-and-accuracy": moved + kept.value,
        }[options.score];
        return { target, score, found: works({ success }), trigger, size, success, kept };
      }),
    );
  },
};
