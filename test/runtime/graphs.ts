import { zeros } from "../../src/core/tensor.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { StaticGraph, Value } from "../../src/onnx/graph.ts";

/** Gradient descent on loss = Σ(w − target)²/2: next = w − rate·(w − target), all [2]. */
export function descent(): StaticGraph {
  const b = new GraphBuilder();
  const w = b.input("w", "float32", [2]);
  const slope = b.sub(w, b.input("target", "float32", [2]));
  b.output("next", b.sub(w, b.mul(b.input("rate", "float32", []), slope)));
  b.output("loss", b.mul(b.sumSquares(slope), b.scalar(0.5)));
  return b.build();
}

/** x multiplied with itself `times` over, x [1024, 1024]: about 20 ms of one processor each time. */
export function slow(times: number): StaticGraph {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [1024, 1024]);
  let y: Value = x;
  for (let i = 0; i < times; i++) y = b.matmul(y, x);
  b.output("sum", b.sum(y));
  return b.build();
}

/** What `slow` is fed. */
export const SLOW_FEEDS = { x: zeros([1024, 1024]) };
