import { checkGradients } from "../autodiff/gradients.ts";
import { differentiability, withoutRule } from "../autodiff/support.ts";
import { AntidoteError } from "../core/errors.ts";
import { sizingWords } from "../data/decode.ts";
import { shapeArithmetic } from "../onnx/fold.ts";
import { describe, type Graph, type Node, type StaticGraph } from "../onnx/graph.ts";
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
  const computing = computingNodes(classifier.graph);
  // Repairs need the gradient for the weights, detectors that for the image.
  const from = [image.name, ...classifier.weights.keys()];
  const blockedBy = obstacles(await classifier.at(2), from, roles.logits);
  return {
    schemaVersion: INSPECT_SCHEMA_VERSION,
    document: "inspect",
    model: {
      ...model,
      operators: operators.map((it) => ({ ...it, gradient: passing(computing, it.name) })),
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
    auditable: blockedBy.length === 0,
    blockedBy,
  };
}

/** The nodes that do more than compute sizes. */
function computingNodes(graph: Graph): Node[] {
  const arithmetic = shapeArithmetic(graph);
  return graph.nodes.filter((node) => !arithmetic.has(node));
}

/** Whether gradients pass an operator, or need not: also where no computing node has it. */
function passing(
  computing: readonly Node[],
  name: string,
): (typeof GRADIENT)[keyof typeof GRADIENT] {
  const node = computing.find((it) => operatorName(it) === name);
  return node ? GRADIENT[differentiability(node.op, node.domain)] : "not-needed";
}

/** Every node without a rule; without any, the first whose rule does not cover its form, and why. */
function obstacles(graph: StaticGraph, from: readonly string[], logits: string): string[] {
  const missing = withoutRule(graph, from, [logits]);
  if (missing.length > 0) return missing.map(describe);
  try {
    checkGradients(graph, from, [logits]);
    return [];
  } catch (error) {
    if (error instanceof AntidoteError && error.code === "MODEL_NOT_DIFFERENTIABLE") {
      return [error.message];
    }
    throw error;
  }
}
