import { float32 } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";
import { alongAxis } from "./along-axis.ts";

/**
 * Padding: dy without the border, a crop (negative padding) filled with zeros. A border that repeats
 * entries adds to them: with m[i, j] = 1 where y's place j along an axis shows x's place i, dx = m·dy.
 */
export const pad: Rule = (a) => [
  () => {
    const [begin, end] = amounts(a);
    const mode = a.text("mode", "constant");
    if (mode === "constant")
      return a.b.pad(
        a.dy,
        [...begin, ...end].map((amount) => -amount),
      );
    const source = SOURCES[mode];
    if (!source) throw a.refusal(`a known padding mode, not "${mode}"`);
    return a.x.shape.reduce((value, extent, axis) => {
      if (begin[axis] === 0 && end[axis] === 0) return value;
      const count = value.shape[axis]!;
      const shown = Array.from({ length: count }, (_, j) => source(j - begin[axis]!, extent));
      return alongAxis(a.b, incidence(a.b, extent, shown), value, axis);
    }, a.dy);
  },
];

/** Where along an axis of x's extent a place outside of it (or in it) takes its entry from. */
const SOURCES: Readonly<Record<string, (place: number, extent: number) => number>> = {
  edge: (place, extent) => Math.min(Math.max(place, 0), extent - 1),
  reflect: (place, extent) => {
    const period = Math.max(2 * extent - 2, 1); // the entries at the ends are not repeated
    const within = modulo(place, period);
    return within < extent ? within : period - within;
  },
  wrap: modulo,
};

function modulo(place: number, extent: number): number {
  return ((place % extent) + extent) % extent;
}

/** m[i, j] = 1 where shown[j] = i, else 0: [extent, count]. */
function incidence(b: GraphBuilder, extent: number, shown: readonly number[]): Value {
  const entries = new Float32Array(extent * shown.length);
  shown.forEach((from, j) => {
    entries[from * shown.length + j] = 1;
  });
  return b.constant(float32([extent, shown.length], entries));
}

/** Padding at the begin and at the end of every axis. */
function amounts(a: Application): [begin: number[], end: number[]] {
  const rank = a.x.shape.length;
  const given = a.ints(1) ?? [];
  const axes = a.ints(3) ?? a.x.shape.map((_, axis) => axis);
  const begin = new Array<number>(rank).fill(0);
  const end = new Array<number>(rank).fill(0);
  axes.forEach((axis, i) => {
    const at = axis < 0 ? axis + rank : axis;
    begin[at] = given[i]!;
    end[at] = given[i + axes.length]!;
  });
  return [begin, end];
}
