import { normaliseAxes } from "../../onnx/shapes.ts";
import type { Application, Rule } from "../rule.ts";

/** Reshape, Flatten, Squeeze, Unsqueeze: the same entries in x's shape. */
export const reshape: Rule = ({ b, x, dy }) => [() => b.reshape(dy, x.shape)];

/** Transposed back. */
export const transpose: Rule = ({ b, x, node, dy }) => [
  () => {
    const found = node.attributes.get("perm");
    const perm = found?.kind === "ints" ? found.value : x.shape.map((_, axis) => axis).reverse();
    return b.transpose(
      dy,
      x.shape.map((_, axis) => perm.indexOf(axis)),
    );
  },
];

/** Every part gets its piece of dy. */
export const concat: Rule = (a) => {
  const [axis] = normaliseAxes([a.int("axis", 0)], a.y.shape.length) as [number];
  let next = 0;
  return a.node.inputs.map((_, i) => {
    const start = next;
    next += a.input(i).shape[axis]!;
    const end = next;
    return () => a.b.slice(a.dy, [axis], [start], [end]);
  });
};

/** The parts' gradients joined; a part that the result does not use counts as zero. */
export const split: Rule = (a) => [
  () => {
    const [axis] = normaliseAxes([a.int("axis", 0)], a.x.shape.length) as [number];
    const parts = a.node.outputs.map((name, i) => {
      const part = a.b.value(name);
      return a.outputGradients[i] ?? a.b.expand(a.b.scalar(0), part.shape);
    });
    return a.b.concat(parts, axis);
  },
];

/** Summed over the axes that were expanded. */
export const expand: Rule = ({ b, x, dy }) => [() => b.sumTo(dy, x.shape)];

/** Summed over the copies: [r₀·d₀, …] → [r₀, d₀, …] → [d₀, …]. */
export const tile: Rule = ({ b, x, y, dy }) => [
  () => {
    const copies = x.shape.flatMap((extent, axis) => [y.shape[axis]! / extent, extent]);
    return b.sum(
      b.reshape(dy, copies),
      x.shape.map((_, axis) => 2 * axis),
    );
  },
];

/** Zero padding: dy without the border; negative padding (a crop) is filled with zeros. */
export const pad: Rule = (a) => [
  () => {
    const mode = a.text("mode", "constant");
    if (mode !== "constant") throw a.refusal(`padding with a constant, not "${mode}"`);
    const rank = a.x.shape.length;
    const given = a.ints(1) ?? [];
    const axes = a.ints(3) ?? a.x.shape.map((_, axis) => axis);
    const back = new Array<number>(2 * rank).fill(0);
    axes.forEach((axis, i) => {
      const at = axis < 0 ? axis + rank : axis;
      back[at] = -given[i]!;
      back[at + rank] = -given[i + axes.length]!;
    });
    return a.b.pad(a.dy, back);
  },
];

/** dy at the places that were taken, 0 elsewhere. */
export const slice: Rule = (a) => [
  () => sliceRanges(a).reduce((value, range) => spread(a, value, range), a.dy),
];

interface Range {
  readonly axis: number;
  /** First place along the axis, counted from 0. */
  readonly start: number;
  readonly step: number;
}

function sliceRanges(a: Application): Range[] {
  const starts = a.ints(1) ?? [];
  const axes = a.ints(3) ?? starts.map((_, i) => i);
  const steps = a.ints(4) ?? starts.map(() => 1);
  return starts.map((given, i) => {
    const axis = axes[i]! < 0 ? axes[i]! + a.x.shape.length : axes[i]!;
    const extent = a.x.shape[axis]!;
    const counted = given < 0 ? given + extent : given;
    // As the operator clamps: a start past the end of a backward slice is the last place.
    const last = steps[i]! < 0 ? extent - 1 : extent;
    return { axis, start: Math.min(Math.max(counted, 0), last), step: steps[i]! };
  });
}

/** Puts the entries of `value` back to start, start + step, … of an axis as long as x's. */
function spread(a: Application, value: Application["x"], range: Range): Application["x"] {
  const { b } = a;
  const { axis, start, step } = range;
  const extent = a.x.shape[axis]!;
  const count = value.shape[axis]!;
  if (step === 1) {
    const pads = new Array<number>(2 * value.shape.length).fill(0);
    pads[axis] = start;
    pads[axis + value.shape.length] = extent - start - count;
    return b.pad(value, pads);
  }
  // Place p takes entry (p − start)/step if that is one, else the zero appended behind the entries.
  const pads = new Array<number>(2 * value.shape.length).fill(0);
  pads[axis + value.shape.length] = 1;
  const sources = Array.from({ length: extent }, (_, place) => {
    const entry = (place - start) / step;
    return Number.isInteger(entry) && entry >= 0 && entry < count ? entry : count;
  });
  return b.gather(b.pad(value, pads), b.ints(sources), axis);
}

/**
 * dy added up at the places it was taken from. The sum is a product with a table of ones, rows of which
 * are the indices, so that repeated indices add.
 */
export const gather: Rule = (a) => [
  () => {
    const { b, x, dy } = a;
    const [axis] = normaliseAxes([a.int("axis", 0)], x.shape.length) as [number];
    const indices = a.input(1);
    const before = x.shape.slice(0, axis).reduce((product, extent) => product * extent, 1);
    const after = x.shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
    const extent = x.shape[axis]!;
    const count = indices.shape.reduce((product, size) => product * size, 1);
    const wide = b.cast(b.reshape(indices, [count]), "int64");
    const wrapped = b.where(
      b.less(wide, b.reshape(b.ints([0]), [])),
      b.add(wide, b.ints([extent])),
      wide,
    );
    const taken = b.transpose(b.oneHot(wrapped, extent), [1, 0]); // [extent, count]
    const entries = b.reshape(dy, [before, count, after]);
    return b.reshape(b.matmul(taken, entries), x.shape);
  },
];
