import { borrowedBatchNorm } from "../autodiff/borrowed-batch-norm.ts";
import type { Classifier } from "../models/classifier.ts";
import { correct, crossEntropy, rowMean } from "./losses.ts";
import type { Optimiser } from "./optimisers.ts";
import type { StepDefinition } from "./step.ts";
import { tunedNetwork } from "./tuned-network.ts";

/**
 * The step of supervised training: cross-entropy over all weights of a classifier, with live batch norm. Feeds: `images`
 * [B,C,H,W] in [0,1] and `labels` [B] int64. The metric `correct` is the number of images that the weights before the
 * step classify correctly.
 * @param company number A of images that only give batch norm its statistics: `images` is [B+A,C,H,W], they come last and
 *   have no labels. Running statistics have no part in the step then
 */
export async function trainingStep(
  classifier: Classifier,
  batch: number,
  optimiser: Optimiser,
  labelSmoothing: number,
  company = 0,
): Promise<StepDefinition<"correct">> {
  const { channels, height, width } = classifier.image;
  const shown = batch + company;
  const plain = await classifier.at(shown);
  const { network, statistics, updates } =
    company === 0
      ? tunedNetwork(plain, true)
      : tunedNetwork(borrowedBatchNorm(plain, batch), false);
  const parameters = classifier.weights;
  return {
    parameters,
    buffers: statistics,
    optimiser,
    build(b, at) {
      const images = b.input("images", "float32", [shown, channels, height, width]); // [B+A,C,H,W]
      const labels = b.input("labels", "int64", [batch]); // [B]
      const bindings = [...parameters.keys(), ...statistics.keys()].map((name) => [name, at(name)]);
      const { logits: all, tensor } = classifier.append(
        b,
        network,
        images,
        "model/",
        Object.fromEntries(bindings),
      ); // [B+A,K]
      const logits = company === 0 ? all : b.slice(all, [0], [0], [batch]); // [B,K]
      return {
        loss: rowMean(b, crossEntropy(b, logits, labels, labelSmoothing)),
        metrics: { correct: b.sum(correct(b, logits, labels)) },
        updates: new Map([...updates].map(([name, next]) => [name, tensor(next)])),
      };
    },
  };
}
