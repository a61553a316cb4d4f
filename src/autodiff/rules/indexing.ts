import { int64, sizeOf } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import { normaliseAxes } from "../../onnx/shapes.ts";
import type { Application, Rule } from "../rule.ts";
import { positions } from "../window.ts";
import { alongAxis } from "./along-axis.ts";

/** The attribute `axis`, counted from 0. */
function axisOf(a: Application, fallback: number): number {
  return normaliseAxes([a.int("axis", fallback)], a.x.shape.length)[0]!;
}

function zeros(b: GraphBuilder, shape: readonly number[]): Value {
  return b.expand(b.scalar(0), shape);
}

/**
 * dy added up at the places it was taken from. The sum is a product with a table of ones, rows of which
 * are the indices, so that repeated indices add.
 */
export const gather: Rule = (a) => [
  () => {
    const { b, x, dy } = a;
    const axis = axisOf(a, 0);
    const indices = a.input(1);
    const count = sizeOf(indices.shape);
    const extent = x.shape[axis]!;
    const wide = b.cast(b.reshape(indices, [count]), "int64");
    const wrapped = b.where(
      b.less(wide, b.reshape(b.ints([0]), [])),
      b.add(wide, b.ints([extent])),
      wide,
    );
    const taken = b.transpose(b.oneHot(wrapped, extent), [1, 0]); // [extent, count]
    const entries = b.reshape(dy, [...x.shape.slice(0, axis), count, ...x.shape.slice(axis + 1)]);
    return alongAxis(b, taken, entries, axis);
  },
];

/** y = x at one index along the axis per entry: dy added up there. */
export const gatherElements: Rule = (a) => [() => addedAt(a, a.input(1), a.dy, axisOf(a, 0))];

/** Values and places of the largest (smallest) entries along an axis: dy put back to those places. */
export const topK: Rule = (a) => [
  () => {
    const { b, node, x, dy } = a;
    const axis = axisOf(a, -1);
    const places = node.outputs[1];
    if (places) return addedAt(a, b.value(places), dy, axis);
    const attributes = { axis, largest: a.int("largest", 1), sorted: a.int("sorted", 1) };
    const indices = { type: "int64", shape: dy.shape } as const;
    const found = b.emit("TopK", [x, a.input(1)], attributes, [a.y, indices])[1]!;
    return addedAt(a, found, dy, axis);
  },
];

/** Zeros of x's shape with `entries` added at `indices` along the axis. */
function addedAt({ b, x }: Application, indices: Value, entries: Value, axis: number): Value {
  const start = zeros(b, x.shape);
  return b.op("ScatterElements", [start, indices, entries], { axis, reduction: "add" }, start);
}

/** x with entries replaced, or added to, at one index along the axis per update. */
export const scatterElements: Rule = (a) => {
  const axis = axisOf(a, 0);
  const indices = a.input(1);
  return scattered(
    a,
    (updates) => a.b.op("ScatterElements", [a.dy, indices, updates], { axis }, a.x),
    () => a.b.op("GatherElements", [a.dy, indices], { axis }, a.input(2)),
  );
};

/** x with slices replaced, or added to, at index vectors. */
export const scatterNd: Rule = (a) => {
  const indices = a.input(1);
  return scattered(
    a,
    (updates) => a.b.op("ScatterND", [a.dy, indices, updates], {}, a.x),
    () => a.b.op("GatherND", [a.dy, indices], {}, a.input(2)),
  );
};

/** d data = dy, zero where it was replaced; d updates = dy at their places. */
function scattered(
  a: Application,
  replaced: (updates: Value) => Value,
  taken: () => Value,
): ReturnType<Rule> {
  const reduction = a.text("reduction", "none");
  if (reduction !== "none" && reduction !== "add") {
    throw a.refusal(`the reduction "none" or "add", not "${reduction}"`);
  }
  const data = () => (reduction === "add" ? a.dy : replaced(zeros(a.b, a.input(2).shape)));
  return [data, undefined, taken];
}

/** y = slices of x at index vectors: dy added up there. */
export const gatherNd: Rule = (a) => [
  () => {
    const start = zeros(a.b, a.x.shape);
    const indices = withBatch(a, a.int("batch_dims", 0));
    return a.b.op("ScatterND", [start, indices, a.dy], { reduction: "add" }, a.x);
  },
];

/** Index vectors that say the position in the batch too, which GatherND leaves out: […, k] → […, axes + k]. */
function withBatch(a: Application, axes: number): Value {
  const indices = a.input(1);
  if (axes === 0) return indices;
  const batch = indices.shape.slice(0, axes);
  const single = indices.shape.slice(axes).map(() => 1);
  const places = a.b.constant(int64(positions(batch).flat(), [...batch, ...single.slice(1), axes]));
  const repeated = a.b.expand(places, [...indices.shape.slice(0, -1), axes]);
  return a.b.concat([repeated, indices], indices.shape.length - 1);
}
