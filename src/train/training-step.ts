import type { Classifier } from "../models/classifier.ts";
import { correct, crossEntropy, rowMean } from "./losses.ts";
import type { Optimiser } from "./optimisers.ts";
import type { StepDefinition } from "./step.ts";
import { tunedNetwork } from "./tuned-network.ts";

/**
 * The step of supervised training: cross-entropy over all weights of a classifier. Feeds: `images` [B,C,H,W] in [0,1] and `labels` [B] int64. The metric `correct`
 * is the number of images that the weights before the step classify correctly.
 * @param batchNorm "live": with the statistics of the batch, running ones follow; "frozen": with the running ones
 */
export async function trainingStep(
  classifier: Classifier,
  batch: number,
  optimiser: Optimiser,
  labelSmoothing: number,
  batchNorm: "live" | "frozen" = "live",
): Promise<StepDefinition<"correct">> {
  const { channels, height, width } = classifier.image;
  const { network, statistics, updates } = tunedNetwork(
    await classifier.at(batch),
    batchNorm === "live",
  );
  const parameters = classifier.weights;
  return {
    parameters,
    buffers: statistics,
    optimiser,
    build(b, at) {
      const images = b.input("images", "float32", [batch, channels, height, width]); // [B,C,H,W]
      const labels = b.input("labels", "int64", [batch]); // [B]
      const bindings = [...parameters.keys(), ...statistics.keys()].map((name) => [name, at(name)]);
      const { logits, tensor } = classifier.append(
        b,
        network,
        images,
        "model/",
        Object.fromEntries(bindings),
      ); // [B,K]
      return {
        loss: rowMean(b, crossEntropy(b, logits, labels, labelSmoothing)),
        metrics: { correct: b.sum(correct(b, logits, labels)) },
        updates: new Map([...updates].map(([name, next]) => [name, tensor(next)])),
      };
    },
  };
}
