import { liveBatchNorm } from "../autodiff/live-batch-norm.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Classifier } from "../models/classifier.ts";
import { correct, crossEntropy, rowMean } from "./losses.ts";
import type { Optimiser } from "./optimisers.ts";
import type { StepDefinition } from "./step.ts";

/**
 * The step of supervised training: cross-entropy over all weights of a classifier, its batch
 * normalisation live. Feeds: `images` [B,C,H,W] in [0,1] and `labels` [B] int64. The metric `correct`
 * is the number of images that the weights before the step classify correctly.
 */
export async function trainingStep(
  classifier: Classifier,
  batch: number,
  optimiser: Optimiser,
  labelSmoothing: number,
): Promise<StepDefinition<"correct">> {
  const { channels, height, width } = classifier.image;
  const live = liveBatchNorm(await classifier.at(batch));
  const statistics = new Map<string, Tensor>(
    [...live.running.keys()].map((name) => [name, classifier.constant(name)]),
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
        live.graph,
        images,
        "model/",
        Object.fromEntries(bindings),
      ); // [B,K]
      return {
        loss: rowMean(b, crossEntropy(b, logits, labels, labelSmoothing)),
        metrics: { correct: b.sum(correct(b, logits, labels)) },
        updates: new Map([...live.running].map(([name, next]) => [name, tensor(next)])),
      };
    },
  };
}
