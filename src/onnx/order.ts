import { AntidoteError } from "../core/errors.ts";
import { describe, type Node } from "./graph.ts";
import type { GraphProto } from "./proto/generated/onnx_pb.ts";
import { captures } from "./subgraphs.ts";

/**
 * The nodes so that each follows the makers of its inputs; nodes that already do keep their order.
 * @param given names that inputs and constants define
 * @throws `MODEL_INVALID` on a name defined twice or never, or on a cycle
 */
export function inOrder(nodes: readonly Node[], given: Iterable<string>): Node[] {
  const ready = new Set(given);
  const makers = makersOf(nodes, ready);
  const ordered: Node[] = [];
  const waiting = new Map<string, Node[]>();
  for (const node of nodes) {
    const pending = [node];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const missing = needs(next).find((name) => !ready.has(name));
      if (missing !== undefined) {
        const queue = waiting.get(missing);
        if (queue) queue.push(next);
        else waiting.set(missing, [next]);
        continue;
      }
      ordered.push(next);
      for (const name of next.outputs) {
        ready.add(name);
        pending.push(...(waiting.get(name) ?? []));
        waiting.delete(name);
      }
    }
  }
  for (const [name, [node]] of waiting) {
    const problem = makers.has(name)
      ? `takes part in a cycle: its input "${name}" depends on its own output`
      : `reads the tensor "${name}", which nothing defines`;
    throw invalid(node!.name, `The ${describe(node!)} ${problem}.`);
  }
  return ordered;
}

/** Adds a name; throws `MODEL_INVALID` if it is there already. */
export function define(name: string, defined: Set<string>): void {
  if (defined.has(name)) throw invalid(name, `The tensor "${name}" is defined twice.`);
  defined.add(name);
}

function makersOf(nodes: readonly Node[], given: ReadonlySet<string>): Set<string> {
  const all = new Set(given);
  for (const name of nodes.flatMap(({ outputs }) => outputs)) {
    if (name !== "") define(name, all);
  }
  return all;
}

/** Names that must exist before a node runs, those that its subgraphs read from outside included. */
function needs(node: Node): string[] {
  const inner = Array.from(node.attributes.values(), (attribute) =>
    attribute.kind === "graph" ? captures(attribute.value as GraphProto) : [],
  );
  return [...node.inputs.filter((name) => name !== ""), ...inner.flat()];
}

function invalid(place: string, message: string): AntidoteError {
  return new AntidoteError("MODEL_INVALID", message, {
    place,
    next: "Export the model again, or check it with `onnx.checker.check_model`.",
  });
}
