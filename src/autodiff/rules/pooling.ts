import { float32, type Shape, sizeOf } from "../../core/tensor.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Window } from "../../onnx/shapes.ts";
import type { Application, Rule } from "../rule.ts";
import { positions, reach, windowOf } from "../window.ts";
import { convInputGradient } from "./convolution.ts";

/**
 * dx = dy at the place of each window's maximum, the first of equals (as PyTorch). The places come from
 * a second MaxPool with its `Indices`. Windows that neither overlap nor reach beyond the input scatter with MaxUnpool (a quarter of
 * the time of ScatterElements); four MaxUnpools for overlapping 3×3 windows of stride 2 took longer.
 */
export const maxPool: Rule = (a) => [
  () => {
    const { b, x, dy } = a;
    const window = windowOf(a.node, x.shape.slice(2));
    const { kernel: kernel_shape, strides, dilations, pads } = window;
    const attributes = {
      kernel_shape,
      strides,
      dilations,
      pads,
      ceil_mode: a.int("ceil_mode", 0),
    };
    const places = { type: "int64", shape: dy.shape } as const;
    const indices = b.emit("MaxPool", [x], attributes, [a.y, places])[1]!; // into x as a vector
    const apart = strides.every((stride, axis) => stride >= reach(window, axis));
    const within = strides.every(
      (stride, axis) =>
        (dy.shape[axis + 2]! - 1) * stride + kernel_shape[axis]! <= x.shape[axis + 2]!,
    );
    if (apart && within) {
      return b.op("MaxUnpool", [dy, indices, b.ints(x.shape)], { kernel_shape, strides }, x);
    }
    const zeros = b.expand(b.scalar(0), [sizeOf(x.shape)]);
    const flat = [indices, dy].map((value) => b.reshape(value, [sizeOf(dy.shape)]));
    const attributesOfSum = { axis: 0, reduction: "add" };
    const sum = b.op("ScatterElements", [zeros, ...flat], attributesOfSum, zeros);
    return b.reshape(sum, x.shape);
  },
];

/** y = Σ of the window/n, n the entries counted: every entry of a window gets dy/n. */
export const averagePool: Rule = (a) => [
  () => {
    const { b, x, dy } = a;
    const window = windowOf(a.node, x.shape.slice(2));
    const outputs = dy.shape.slice(2);
    const counts = entryCounts(window, x.shape.slice(2), outputs, a.int("count_include_pad", 0));
    const shares = float32(
      [1, 1, ...outputs],
      counts.map((count) => 1 / count),
    );
    const share = counts.every((count) => count === counts[0])
      ? b.scalar(1 / counts[0]!)
      : b.constant(shares);
    const dEntry = b.mul(dy, share);
    if (tiles(window, x.shape.slice(2), outputs)) return repeated(a, dEntry, window.kernel);
    // Each entry sums what its windows give: the input gradient of a convolution with ones.
    const channels = x.shape[1]!;
    const ones = b.expand(b.scalar(1), [channels, 1, ...window.kernel]);
    return convInputGradient(b, dEntry, ones, window, channels, x.shape);
  },
];

/** dx = dy/positions everywhere. */
export const globalAveragePool: Rule = ({ b, x, dy }) => [
  () => b.expand(b.mul(dy, b.scalar(1 / sizeOf(x.shape.slice(2)))), x.shape),
];

/** dy is shared evenly among the positions that reach the maximum. */
export const globalMaxPool: Rule = ({ b, x, y, dy }) => [
  () => {
    const hits = b.cast(b.equal(x, y), "float32");
    const spatial = x.shape.slice(2).map((_, axis) => axis + 2);
    return b.mul(hits, b.div(dy, b.sum(hits, spatial, true)));
  },
];

/** How many entries each window averages: those inside the input, or inside the padded input. */
function entryCounts(
  window: Window,
  inputs: Shape,
  outputs: Shape,
  includePadding: number,
): number[] {
  const rank = inputs.length;
  return positions(outputs).map((position) =>
    position.reduce((count, at, axis) => {
      const first = at * window.strides[axis]! - window.pads[axis]!;
      const low = includePadding ? -window.pads[axis]! : 0;
      const high = inputs[axis]! + (includePadding ? window.pads[axis + rank]! : 0);
      const entries = Array.from(
        { length: window.kernel[axis]! },
        (_, tap) => first + tap * window.dilations[axis]!,
      );
      return count * entries.filter((entry) => entry >= low && entry < high).length;
    }, 1),
  );
}

/** Whether the windows cover the input exactly, each entry once. */
function tiles(window: Window, inputs: Shape, outputs: Shape): boolean {
  return (
    window.pads.every((pad) => pad === 0) &&
    window.dilations.every((dilation) => dilation === 1) &&
    window.kernel.every((extent, axis) => extent === window.strides[axis]!) &&
    inputs.every((extent, axis) => extent === outputs[axis]! * window.kernel[axis]!)
  );
}

/** Every entry of `value` repeated over its window: [N, C, H, W] → [N, C, H·h, W·w]. */
function repeated({ b, x }: Application, value: Value, kernel: Shape): Value {
  const [batch, channels, ...extents] = value.shape as [number, number, ...number[]];
  const single = extents.flatMap((extent) => [extent, 1]);
  const windows = extents.flatMap((extent, axis) => [extent, kernel[axis]!]);
  const split = b.reshape(value, [batch, channels, ...single]);
  return b.reshape(b.expand(split, [batch, channels, ...windows]), x.shape);
}
