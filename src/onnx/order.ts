import { AntidoteError } from "../core/errors.ts";
import { describe, type Node } from "./graph.ts";
import { reads } from "./subgraphs.ts";

/**
 * The nodes so that each follows the makers of its inputs; nodes that already do keep their order.
 * @param given names that inputs and constants define
 * @throws `MODEL_INVALID` on a name defined twice or never, or on a cycle
 */
export function inOrder(nodes: readonly Node[], given: ReadonlySet<string>): Node[] {
  const makers = makersOf(nodes, given);
  const ready = new Set(given);
  const lacking = new Map<Node, Set<string>>();
  const waiting = new Map<string, Node[]>();
  const ordered: Node[] = [];
  for (const node of nodes) {
    const missing = new Set(reads(node).filter((name) => !ready.has(name)));
    lacking.set(node, missing);
    for (const name of missing) {
      const queue = waiting.get(name);
      if (queue) queue.push(node);
      else waiting.set(name, [node]);
    }
    const pending = missing.size === 0 ? [node] : [];
    for (let next = pending.pop(); next; next = pending.pop()) {
      ordered.push(next);
      lacking.delete(next);
      for (const name of next.outputs) {
        ready.add(name);
        for (const waiter of waiting.get(name) ?? []) {
          const left = lacking.get(waiter)!;
          left.delete(name);
          if (left.size === 0) pending.push(waiter);
        }
        waiting.delete(name);
      }
    }
  }
  if (lacking.size > 0) throw unordered(lacking, makers);
  return ordered;
}

/** Adds a name; throws `MODEL_INVALID` if it is there already. */
export function define(name: string, defined: Set<string>): void {
  if (defined.has(name)) throw invalid(name, `The tensor "${name}" is defined twice.`);
  defined.add(name);
}

function makersOf(nodes: readonly Node[], given: ReadonlySet<string>): Map<string, Node> {
  const defined = new Set(given);
  const makers = new Map<string, Node>();
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === "") continue;
      define(name, defined);
      makers.set(name, node);
    }
  }
  return makers;
}

/** Why some nodes never get their inputs: one lacks a maker, or they wait for one another. */
function unordered(
  lacking: ReadonlyMap<Node, ReadonlySet<string>>,
  makers: ReadonlyMap<string, Node>,
): AntidoteError {
  for (const [node, names] of lacking) {
    for (const name of names) {
      if (makers.has(name)) continue;
      return invalid(node.name, `The ${describe(node)} reads "${name}", which nothing defines.`);
    }
  }
  // Going from node to lacking input to its maker must come back to some node: it is on a cycle.
  const seen = new Set<Node>();
  let node = [...lacking.keys()][0]!;
  while (!seen.has(node)) {
    seen.add(node);
    const [name] = lacking.get(node)!;
    node = makers.get(name!)!;
  }
  return invalid(node.name, `The ${describe(node)} is part of a cycle.`);
}

function invalid(place: string, message: string): AntidoteError {
  return new AntidoteError("MODEL_INVALID", message, {
    place,
    next: "Export the model again, or check it with `onnx.checker.check_model`.",
  });
}
