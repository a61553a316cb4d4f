import { differentiability, withoutRule } from "../autodiff/support.ts";
import { sizingWords } from "../data/decode.ts";
import { describe } from "../onnx/graph.ts";
import { describeModel, operatorName } from "./describe.ts";
import { INSPECT_SCHEMA_VERSION, type InspectRecord } from "./inspect-record.ts";
import { metadataOf } from "./labels.ts";
import type { OpenedModel } from "./open.ts";

const GRADIENT = {
  differentiable: "yes",
  "piecewise constant": "not-needed",
  unsupported: "no",
} as const;

/** What Antidote sees in a model file, and whether methods that need gradients will work on it. */
export async function inspect({ file, classifier, stated }: OpenedModel): Promise<InspectRecord> {
  const { operators, ...model } = await describeModel(file, classifier);
  const { image, roles } = classifier;
  // Repairs need the gradient for the weights, detectors that for the image.
  const from = [image.name, ...classifier.weights.keys()];
  const blocking = withoutRule(await classifier.at(2), from, [roles.logits]);
  return {
    schemaVersion: INSPECT_SCHEMA_VERSION,
    document: "inspect",
    model: {
      ...model,
      operators: operators.map(({ name, count }) => {
        const { op, domain } = classifier.graph.nodes.find((node) => operatorName(node) === name)!;
        return { name, count, gradient: GRADIENT[differentiability(op, domain)] };
      }),
    },
    image: { channels: image.channels, height: image.height, width: image.width },
    output: roles.output,
    head: roles.head,
    labels: stated.labels?.names ?? null,
    labelsFrom: stated.labels?.source ?? null,
    stated: stated.preprocessings,
    sizing: stated.sizing ? sizingWords(stated.sizing) : null,
    warnings: stated.warnings,
    metadata: metadataOf(file),
    auditable: blocking.length === 0,
    blockedBy: blocking.map(describe),
  };
}
