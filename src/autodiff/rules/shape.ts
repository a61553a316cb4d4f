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

/** dy on and above (below) the same diagonal. */
export const trilu: Rule = (a) => [
  () => {
    const diagonal = a.optional(1);
    const operands = diagonal ? [a.dy, diagonal] : [a.dy];
    return a.b.op("Trilu", operands, { upper: a.int("upper", 1) }, a.x);
  },
];

/** Blocks of s² channels moved to s×s positions: dy moved back. */
export const depthToSpace: Rule = (a) => [
  () => {
    const { b, x, dy } = a;
    const size = a.int("blocksize", 1);
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const kept = channels / size ** 2;
    const blocks = b.reshape(dy, [batch, kept, height, size, width, size]); // [N, C, H, s, W, s]
    // Channels are ordered [s, s, C] (DCR) or [C, s, s] (CRD).
    const perm = a.text("mode", "DCR") === "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
    return b.reshape(b.transpose(blocks, perm), x.shape);
  },
];

/** s×s positions moved to blocks of s² channels: dy moved back. */
export const spaceToDepth: Rule = (a) => [
  () => a.b.op("DepthToSpace", [a.dy], { blocksize: a.int("blocksize", 1), mode: "DCR" }, a.x),
];
