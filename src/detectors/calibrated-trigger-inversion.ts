import { z } from "zod";
import type { RunContext } from "../runtime/context.ts";
import type { ClassEvidence, Detection, Detector, DetectorInput } from "./detector.ts";
import { type InversionPlan, invertTriggers } from "./inversion.ts";
import { type Measured, measureTriggers } from "./measure.ts";
import { additiveFamily, maskedFamily, type TriggerFamily } from "./trigger-family.ts";

const config = z.strictObject({
  families: z
    .array(z.enum(["masked", "additive"]))
    .min(1)
    .default(["masked", "additive"])
    .describe("Kinds of trigger to search: patches under a mask, noise added to the whole image."),
  search: z
    .enum(["smallest", "fixed-steps"])
    .default("smallest")
    .describe(
      'What to search: the smallest trigger that works, or as in Algorithm 4 whatever "steps" give.',
    ),
  score: z
    .enum(["size-ratio", "success-difference", "algorithm-4", "success-and-accuracy"])
    .default("size-ratio")
    .describe("How the evidence of a class becomes its score."),
  steps: z.int().min(1).default(80).describe("Adam steps per group of classes."),
  images: z.int().min(1).default(16).describe("Trusted images per class and step."),
  classesPerStep: z.int().min(1).default(10).describe("Classes that share a step."),
  maskedRate: z.number().positive().default(0.1).describe("Learning rate of masked triggers."),
  additiveRate: z.number().positive().default(0.01).describe("Learning rate of additive triggers."),
  suspectWeight: z.number().min(0).default(1).describe("Weight of CE(f_suspect(x⊕T), c)."),
  repairedWeight: z.number().min(0).default(1).describe("Weight of CE(f_repaired(x⊕T), y)."),
  success: z
    .number()
    .gt(0)
    .max(1)
    .default(0.9)
    .describe("Success on the suspect that the smallest trigger must have."),
});

type Config = z.output<typeof config>;

/** Start values of the penalty on the size, per family, and the factor that adapts it. */
const PENALTY = { masked: 0.02, additive: 0.2 };
const FACTOR = 1.15;

/**
 * Calibrated Trigger Inversion: for every class a trigger is searched that the suspect obeys and the
 * repaired model does not, so that natural features of a class, which work on both, are no candidates.
 *
 *     min_T  w_s·CE(f̃(x⊕T), c) + w_r·CE(f*(x⊕T), y)   [+ penalty·size(T)]
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
      "By default the smallest working trigger is searched, under a mask and as additive noise; --detector.search fixed-steps with --detector.families additive and --detector.score success-difference is the released code.",
      "Works over any repair.",
    ],
  },
  config,
  async run(context, input, options) {
    const perFamily: Measured[][] = [];
    for (const name of options.families) {
      const found = await search(context, input, name, options);
      perFamily.push(await measureTriggers(context, input, found));
    }
    const scored = perFamily.map((measured) => scores(measured, options));
    // A class is as suspicious as its most suspicious kind of trigger.
    const classes = scored[0]!.map((_, index) =>
      scored.map((family) => family[index]!).reduce((a, b) => (b.score > a.score ? b : a)),
    );
    const score = Math.max(...classes.map((c) => c.score));
    return { statistic: options.score, classes, score } satisfies Detection;
  },
};

function search(
  context: RunContext,
  { model, repaired, search: images }: DetectorInput,
  name: Config["families"][number],
  options: Config,
) {
  const family: TriggerFamily = name === "masked" ? maskedFamily() : additiveFamily();
  const plan: InversionPlan = {
    ...options,
    family,
    learningRate: name === "masked" ? options.maskedRate : options.additiveRate,
    ...(options.search === "smallest"
      ? { shrink: { weight: PENALTY[name], factor: FACTOR, success: options.success } }
      : {}),
  };
  const targets = Array.from({ length: model.classes }, (_, target) => target);
  return invertTriggers(
    context,
    { suspect: model, repaired },
    images,
    targets,
    plan,
    `search ${name} triggers`,
  );
}

/** One score per class, from the evidence of one family. */
function scores(measured: readonly Measured[], options: Config): ClassEvidence[] {
  const sizes = measured.map(({ size, reached }) => (reached ? size : Number.POSITIVE_INFINITY));
  return measured.map((class_, index) => {
    const { target, overlay, size, success, kept } = class_;
    const works = success.suspect.value;
    const score = {
      // How many times smaller the trigger is than that of the median other class, if it works at all
      "size-ratio": works * ratio(sizes, index),
      // Acc(D_psn,c; θ̃) − Acc(D_psn,c; θ*), the released code
      "success-difference": works - success.repaired.value,
      // Acc(D_psn,c; θ̃) − Acc(D_psn,Y; θ*), line 10 as printed
      "algorithm-4": works - kept.value,
      // Acc(D_psn,c; θ̃) + Acc(D_psn,Y; θ*), what line 7 optimises
      "success-and-accuracy": works + kept.value,
    }[options.score];
    return { target, score, trigger: overlay, size, success, kept };
  });
}

/** median(sizes of the others) / size; a trigger that never worked counts as larger than any. */
function ratio(sizes: readonly number[], index: number): number {
  const own = sizes[index]!;
  if (!Number.isFinite(own)) return 0;
  const largest = Math.max(...sizes.filter(Number.isFinite));
  const others = sizes
    .filter((_, other) => other !== index)
    .map((size) => (Number.isFinite(size) ? size : largest))
    .sort((a, b) => a - b);
  const middle = others.length / 2;
  const median = (others[Math.floor(middle - 0.5)]! + others[Math.ceil(middle - 0.5)]!) / 2;
  return median / own;
}
