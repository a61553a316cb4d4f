import { invariant } from "../core/errors.ts";
import { sizeOf } from "../core/tensor.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { StaticGraph, Value } from "../onnx/graph.ts";
import { Application } from "./rule.ts";
import { checkDifferentiable, dependents, ruleOf } from "./support.ts";

/**
 * Appends the reverse-mode derivative of a scalar to its graph.
 * @param output one float32 number
 * @param wrt inputs, constants or intermediate results of the graph
 * @returns d output / d wrt, one for each, of the same shapes; zero where the output does not depend
 * @throws `MODEL_NOT_DIFFERENTIABLE` if an operator between them has no rule, or uses a form of it that
 *   the rule does not cover
 */
export function gradients(b: GraphBuilder, output: Value, wrt: readonly Value[]): Value[] {
  invariant(
    output.type === "float32" && sizeOf(output.shape) === 1,
    `"${output.name}" is not one float32 number`,
  );
  const nodes = [...b.nodes];
  const from = wrt.map(({ name }) => name);
  checkDifferentiable({ nodes }, from, [output.name]);
  const depends = dependents(nodes, from, (name) => b.value(name).type.includes("float"));

  const found = new Map<string, Value>([[output.name, b.expand(b.scalar(1), output.shape)]]);
  for (const node of nodes.reverse()) {
    const outputGradients = node.outputs.map((name) => found.get(name));
    if (!outputGradients.some(Boolean) || !node.inputs.some((name) => depends.has(name))) continue;
    const application = new Application(b, node, outputGradients);
    const slots = ruleOf(node)(application);
    node.inputs.forEach((name, i) => {
      if (!depends.has(name)) return;
      const slot = slots[i];
      if (!slot) throw application.refusal(`input ${i} ("${name}") to be independent of the rest`);
      const contribution = slot();
      const others = found.get(name);
      found.set(name, others ? b.add(others, contribution) : contribution);
    });
  }
  return wrt.map((value) => found.get(value.name) ?? b.expand(b.scalar(0), value.shape));
}

/**
 * Checks, before any work, that `to` can be differentiated by `from`, operators and their forms: the
 * gradient is written to a graph that nobody runs.
 * @throws `MODEL_NOT_DIFFERENTIABLE`, which names the node and what its gradient would need
 */
export function checkGradients(
  graph: StaticGraph,
  from: readonly string[],
  to: readonly string[],
): void {
  const b = new GraphBuilder("check/");
  const inputs = graph.inputs.map(({ name, type, shape }) => [name, b.input(name, type, shape)]);
  const value = b.inline(graph, "", Object.fromEntries(inputs));
  const total = to.map((name) => b.sum(value(name))).reduce((sum, other) => b.add(sum, other));
  gradients(b, total, from.map(value));
}
