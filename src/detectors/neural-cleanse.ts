import { mean, median, medianAbsoluteDeviation, sampleStandardDeviation } from "simple-statistics";
import { z } from "zod";
import { targetsAmong, usualAmong } from "../inversion/examined.ts";
import { CLEANSE_SEARCH, searchByNeuralCleanse } from "../inversion/neural-cleanse.ts";
import { type Detector, detection, works } from "./detector.ts";
import { measureTriggers } from "./measure.ts";

const config = z.strictObject({
  ...CLEANSE_SEARCH.shape,
  score: z
    .enum(["anomaly-index", "normal-test"])
    .default("anomaly-index")
    .describe(
      "how the size of a class's trigger becomes its score: deviations from the median class, or from the mean class",
    ),
});

type Options = z.output<typeof config>;

/**
 * Neural Cleanse: for every class a trigger is searched, and a class is suspicious whose trigger is small beside
 * those of the others. With s_c the size ‖T‖₁ of an additive trigger or ‖m‖₁ of a mask,
 *
 *     anomaly index  (median(s) − s_c) / (1.4826·MAD(s))
 *     normal test    (mean(s) − s_c) / sd(s)
 *
 * positive for triggers smaller than usual: large ones are no sign of a backdoor. After a screening, median, MAD,
 * mean and sd are those of the controls.
 */
export const neuralCleanse: Detector<typeof config> = {
  name: "neural-cleanse",
  summary: "Compares the classes by the size of a trigger that is searched for each.",
  source: {
    paper: "Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural Networks",
    authors: "Wang et al.",
    year: 2019,
    section: "IV; Pick your Poison, Algorithm 6",
    deviations: [
      "Algorithm 6 prints the cross-entropy alone; λ_N is in its Table V.",
      "Images of class c are left out of its search.",
      "The search of a masked trigger ends after its steps, not when the mask no longer shrinks.",
      "Mask and pattern of the masked form are σ(a), those of the original (tanh(a) + 1)/2, which is σ(2a): with Adam the same learning rate moves them half as fast.",
      "The released code of Pick your Poison keeps the last class's trigger alone; here every class has its own.",
    ],
  },
  config,
  needsRepair: false,
  kinds: ({ form }) => [form],
  async run(context, input, options) {
    const { model, search, examined } = input;
    const targets = targetsAmong(model.classes, examined);
    const found = await searchByNeuralCleanse(context, model, search, options, targets);
    const measured = await measureTriggers(context, input, found);
    const peers = found.map(({ size }) => -size);
    const sizes = found.map(({ size }) => size);
    const scores = SCORES[options.score](sizes, usualAmong(sizes, targets, examined));
    return detection(
      options.score,
      measured.map(({ target, reached, trigger, size, success, kept }, index) => {
        // A mask that never worked says nothing about how small one can be.
        const score = reached ? scores[index]! : 0;
        const found = reached && works({ success });
        return { target, score, found, trigger, size, success, kept, peers };
      }),
    );
  },
};

/** Scores of classes from the sizes of their triggers, beside usual sizes; 0 for all where those do not differ. */
const SCORES: Readonly<
  Record<Options["score"], (sizes: readonly number[], usual: number[]) => number[]>
> = {
  // 1.4826·MAD estimates the standard deviation of a normal distribution.
  "anomaly-index": (sizes, usual) =>
    deviations(sizes, median(usual), 1.4826 * medianAbsoluteDeviation(usual)),
  "normal-test": (sizes, usual) => deviations(sizes, mean(usual), sampleStandardDeviation(usual)),
};

function deviations(sizes: readonly number[], centre: number, spread: number): number[] {
  return sizes.map((size) => (spread === 0 ? 0 : (centre - size) / spread));
}
