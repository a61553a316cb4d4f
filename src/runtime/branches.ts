import { AntidoteError } from "../core/errors.ts";
import { sizeOf, type Tensor, toNumbers } from "../core/tensor.ts";
import { decidable, takeBranches } from "../onnx/branches.ts";
import { pruned } from "../onnx/fold.ts";
import { describe, type Graph, type Node } from "../onnx/graph.ts";
import type { Device } from "./device.ts";
import { runOnZeros, withBatch } from "./sized.ts";

/** Branches whose conditions depend on one another: each takes a run of what lies above it. */
const MAX_ROUNDS = 256;

/**
 * The graph with every If whose condition no image can change replaced by the branch that is taken: exporters
 * write them for what a network decides by the sizes of tensors.
 * @throws `MODEL_INVALID` where the number of images decides, or a branch is damaged; `MODEL_TOO_LARGE`,
 *   `RUNTIME_FAILED`
 */
export async function withoutBranches(graph: Graph, device: Device): Promise<Graph> {
  let current = graph;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const nodes = decidable(current);
    if (nodes.length === 0) return current;
    current = takeBranches(current, await decisions(current, nodes, device));
  }
  throw new AntidoteError("MODEL_TOO_LARGE", `Over ${MAX_ROUNDS} branches depend on one another.`, {
    next: "Export the model with fixed sizes, so that nothing is left to decide.",
  });
}

/** Whether the condition of each node holds. */
async function decisions(
  graph: Graph,
  nodes: readonly Node[],
  device: Device,
): Promise<ReadonlyMap<Node, boolean>> {
  const declared = graph.inputs[0]?.shape[0];
  const taken = await conditions(graph, nodes, declared ?? 1, device);
  const others = typeof declared === "number" ? taken : await conditions(graph, nodes, 2, device);
  const changing = nodes.find((_, i) => taken[i] !== others[i]);
  if (!changing) return new Map(nodes.map((node, i) => [node, taken[i]!]));
  throw new AntidoteError(
    "MODEL_INVALID",
    `The ${describe(changing)} decides by the number of images what is computed of each.`,
    {
      place: changing.name,
      next: "Export the model by tracing (`torch.onnx.export` of the module itself, not of a script).",
    },
  );
}

async function conditions(
  graph: Graph,
  nodes: readonly Node[],
  batch: number,
  device: Device,
): Promise<boolean[]> {
  const names = nodes.map(({ inputs }) => inputs[0]!);
  const outputs = [...new Set(names.filter((name) => !graph.constants.has(name)))];
  const found =
    outputs.length === 0
      ? {}
      : await runOnZeros(withBatch(pruned({ ...graph, outputs }), batch), device);
  return nodes.map((node, i) => holds(node, graph.constants.get(names[i]!) ?? found[names[i]!]!));
}

function holds(node: Node, condition: Tensor): boolean {
  if (condition.type === "bool" && sizeOf(condition.shape) === 1) {
    return toNumbers(condition)[0] !== 0;
  }
  throw new AntidoteError(
    "MODEL_INVALID",
    `The condition of the ${describe(node)} is not one truth value.`,
    {
      place: node.name,
      next: "Export the model again, or check it with `onnx.checker.check_model`.",
    },
  );
}
