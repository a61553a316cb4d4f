import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Window } from "../../onnx/shapes.ts";
import type { Application, Rule } from "../rule.ts";
import { positions, reach, windowOf } from "../window.ts";
import { isWinograd, winogradInputGradient, winogradWeightGradient } from "../winograd.ts";
import { channelSum } from "./channels.ts";

/** y = x ∗ w + bias, in groups, strided, dilated, padded: the three gradients below. */
export const conv: Rule = (a) => {
  const { b, x } = a;
  const w = a.input(1);
  const window = windowOf(a.node, x.shape.slice(2), w.shape.slice(2));
  const group = a.int("group", 1);
  return [
    () => convInputGradient(b, a.dy, w, window, group, x.shape),
    () =>
      isWinograd(b, window, group, w, a.dy)
        ? winogradWeightGradient(b, x, a.dy, window.pads)
        : convWeightGradient(b, x, a.dy, window, group, w.shape),
    () => channelSum(b, a.dy),
  ];
};

/**
 * The adjoint of a convolution as an operator of its own: its gradient for the input is a convolution of
 * dy with the same weight, that for the weight is the convolution's, x and dy exchanged.
 */
export const convTranspose: Rule = (a) => {
  const { b, x } = a;
  const w = a.input(1); // [C, K/group, …]
  const kernel = w.shape.slice(2);
  const given = windowOf(a.node, x.shape.slice(2), kernel);
  const group = a.int("group", 1);
  // Whatever fixes the extents of y (pads, output_padding, output_shape, auto_pad), the rest is padding.
  const pads = transposePads(a, given);
  const window = { ...given, kernel, pads };
  return [
    () => {
      // A convolution takes no negative padding: entries that no window reaches are cut off before.
      const axes = [0, 0, ...pads.slice(0, kernel.length), 0, 0, ...pads.slice(kernel.length)];
      const reached = b.pad(
        a.dy,
        axes.map((amount) => Math.min(amount, 0)),
      );
      const outside = pads.map((amount) => Math.max(amount, 0));
      return b.conv(reached, w, undefined, { ...window, pads: outside }, group);
    },
    () => convWeightGradient(b, a.dy, x, window, group, w.shape),
    () => channelSum(b, a.dy),
  ];
};

/** Padding of the convolution that turns y's extents into x's: begin as the node has it, end what is left. */
function transposePads(a: Application, { kernel, strides, dilations, pads }: Window): number[] {
  const automatic = a.text("auto_pad", "NOTSET");
  const fixed = a.node.attributes.has("output_shape");
  const begin: number[] = [];
  const end: number[] = [];
  a.x.shape.slice(2).forEach((extent, axis) => {
    const covered = strides[axis]! * (extent - 1) + reach({ kernel, dilations }, axis);
    const total = covered - a.y.shape[axis + 2]!; // negative where y is longer (output_padding)
    if (fixed || automatic.startsWith("SAME")) {
      const half =
        automatic === "SAME_UPPER" ? Math.floor(total / 2) : total - Math.floor(total / 2);
      begin.push(half);
    } else begin.push(automatic === "VALID" ? 0 : pads[axis]!);
    end.push(total - begin[axis]!);
  });
  return [...begin, ...end];
}

/**
 * Gradient of a convolution for its input. With stride 1 it is a convolution with the flipped kernel,
 * input and output channels exchanged; ONNX Runtime folds the exchange where the weight is constant and
 * then uses its blocked layout (at 512 channels twice as fast as a weight that is an input). Otherwise
 * it is a transposed convolution. Other forms of a stride-2 kernel of 3×3 (64, 128, 256 channels) and
 * 1×1 took, in CPU time: one convolution per phase of the input grid 1.4, 1.2 and 0.8 times as much; one
 * 2×2 convolution with four times the channels about twice as much; 1×1 with zeros put between 1.1 to 3.5.
 * @param dy [N, K, …]
 * @param w [K, C/group, …]
 * @returns gradient of shape `shape`, [N, C, …]
 */
export function convInputGradient(
  b: GraphBuilder,
  dy: Value,
  w: Value,
  window: Window,
  group: number,
  shape: Shape,
): Value {
  const { strides, dilations } = window;
  const kernel = w.shape.slice(2);
  const axes = kernel.map((_, axis) => axis);
  const begin = axes.map((axis) => window.pads[axis]!);
  const end = axes.map((axis) => window.pads[axis + axes.length]!);
  const reaches = axes.map((axis) => reach({ kernel, dilations }, axis));
  // Rows of the input that no window reaches at the end; negative where windows hang over the padding.
  const unreached = axes.map((axis) => {
    const covered = strides[axis]! * (dy.shape[axis + 2]! - 1) + reaches[axis]!;
    return shape[axis + 2]! + begin[axis]! + end[axis]! - covered;
  });
  const flippedPads = [
    ...axes.map((axis) => reaches[axis]! - 1 - begin[axis]!),
    ...axes.map((axis) => reaches[axis]! - 1 - end[axis]! + unreached[axis]!),
  ];
  if (strides.every((stride) => stride === 1) && flippedPads.every((pad) => pad >= 0)) {
    const pads = flippedPads;
    if (isWinograd(b, window, group, w, dy)) return winogradInputGradient(b, dy, w, pads);
    return b.conv(dy, exchanged(b, w, group), undefined, { strides, dilations, pads }, group);
  }
  return b.op(
    "ConvTranspose",
    [dy, w],
    {
      group,
      kernel_shape: kernel,
      strides,
      dilations,
      pads: [...begin, ...axes.map((axis) => end[axis]! - Math.min(0, unreached[axis]!))],
      output_padding: unreached.map((extent) => Math.max(0, extent)),
    },
    { type: dy.type, shape },
  );
}

/** w [G·K, C, …] → flipped along the spatial axes and exchanged within each group: [G·C, K, …]. */
function exchanged(b: GraphBuilder, w: Value, group: number): Value {
  const [outputs, inputs, ...kernel] = w.shape as [number, number, ...number[]];
  const spatial = kernel.map((_, axis) => axis + 3);
  const grouped = b.reshape(w, [group, outputs / group, inputs, ...kernel]);
  const swapped = b.transpose(grouped, [0, 2, 1, ...spatial]);
  const flat = b.reshape(swapped, [group * inputs, outputs / group, ...kernel]);
  const axes = kernel.flatMap((extent, axis) => (extent > 1 ? [axis + 2] : []));
  if (axes.length === 0) return flat;
  const last = axes.map(() => -1);
  const beforeFirst = axes.map((axis) => -1 - flat.shape[axis]!);
  const operands = [last, beforeFirst, axes, last].map((values) => b.ints(values));
  return b.op("Slice", [flat, ...operands], {}, flat);
}

/** A product with few columns wastes its kernel: taps of fewer channels than this are joined. */
const JOINED_BELOW = 8;

/**
 * Gradient of a convolution for its weight: per kernel tap the product of dy, [K, N·positions], with
 * the entries of x that the tap meets, [C, N·positions], transposed. With channels first the entries of
 * a tap are copied in whole rows: for 16 and 32 channels 1.6 times as fast as with channels last, from 64
 * channels on 0.9 … 1.3 times. One product over all taps joined is faster for the 3 channels of images (0.4
 * times as long) and slower from 8 channels on (a training step of ResNet-18 with 8 or 12 channels in the first
 * stage: 0.88 or 0.83 times as long image by image); Conv with batch and channels exchanged took twice as long.
 * @param x [N, C, …]
 * @param dy [N, K, …]
 * @returns gradient of shape `shape`, [K, C/group, …]
 */
export function convWeightGradient(
  b: GraphBuilder,
  x: Value,
  dy: Value,
  window: Window,
  group: number,
  shape: Shape,
): Value {
  const [outputs, inputs, ...kernel] = shape as [number, number, ...number[]];
  if (inputs === 1 && outputs === group) return depthwise(b, x, dy, window, shape);
  const [batch, , ...extents] = dy.shape as [number, number, ...number[]];
  const large = sizeOf(extents) >= POSITIONS_PER_OUTPUT * (outputs / group);
  if (large && inputs >= JOINED_BELOW && kernel.length === 2 && window.strides[0] === 1)
    return byImage(b, x, dy, window, group, shape);
  const samples = extents.reduce((product, extent) => product * extent, batch);

  const left = b.reshape(channelsFirst(b, dy), [group, outputs / group, samples]); // [G, K, M]
  const source = channelsFirst(b, padded(b, x, window, extents)); // [G·C, N, …]
  const entries = positions(kernel).map(
    (tap) => b.reshape(met(b, source, tap, window, extents), [group, inputs, samples]), // [G, C, M]
  );
  const rights = inputs < JOINED_BELOW ? [b.concat(entries, 1)] : entries;
  const products = rights.map((right) => b.matmul(left, b.transpose(right, [0, 2, 1])));
  const taps = b.reshape(b.concat(products, 2), [outputs, entries.length, inputs]); // [G·K, taps, C]
  return b.reshape(b.transpose(taps, [0, 2, 1]), shape);
}

/** From so many positions per output channel on, products image by image are smaller than what they are made of. */
const POSITIONS_PER_OUTPUT = 2;

/**
 * The same image by image, summed afterwards, where rows have stride 1. The two shifts of a tap are divided
 * between the factors: copies of dy are shifted by rows and copies of x by columns, so a 3×3 kernel takes 3 + 3
 * copies instead of 9, and one product does all taps of a column. For 3×3 kernels with 32, 64 and 128 channels
 * (32², 32², 16² positions, batch 128) it takes 0.7, 0.65 and 0.9 times as long.
 */
function byImage(
  b: GraphBuilder,
  x: Value,
  dy: Value,
  window: Window,
  group: number,
  shape: Shape,
): Value {
  const [outputs, inputs, tall, wide] = shape as [number, number, number, number];
  const [batch, , height] = x.shape as [number, number, number, number];
  const [, , rows, columns] = dy.shape as [number, number, number, number];
  const across: Window = {
    kernel: [1, wide],
    strides: [1, window.strides[1]!],
    dilations: [1, window.dilations[1]!],
    pads: [0, window.pads[1]!, 0, window.pads[3]!],
  };
  const extents = [height, columns];
  const source = padded(b, x, across, extents); // [N, C, H, …]
  const down = shiftedRows(
    b,
    dy,
    positions([tall, height]).map(([tap, row]) => {
      const met = row! - tap! * window.dilations[0]! + window.pads[0]!;
      return met >= 0 && met < rows ? met : undefined;
    }),
  ); // [N, K, tall·H, W']
  const left = b.reshape(down, [batch, group, (outputs / group) * tall, height * columns]);
  const products = positions([1, wide]).map((tap) => {
    const entries = met(b, source, tap, across, extents);
    const right = b.reshape(entries, [batch, group, inputs, height * columns]);
    const product = b.sum(b.matmul(left, b.transpose(right, [0, 1, 3, 2])), [0]);
    return b.reshape(product, [outputs, tall, 1, inputs]);
  });
  return b.transpose(b.concat(products, 2), [0, 3, 1, 2]);
}

/** The given rows of x [N, C, H, W] one after the other; undefined stands for zeros. */
function shiftedRows(b: GraphBuilder, x: Value, rows: readonly (number | undefined)[]): Value {
  const height = x.shape[2]!;
  if (rows.length === height && rows.every((row, at) => row === at)) return x;
  const zeroed = b.pad(x, [0, 0, 0, 0, 0, 0, 1, 0]);
  return b.gather(zeroed, b.ints(rows.map((row) => row ?? height)), 2);
}

/** [N, C, …] → [C, N, …]. */
function channelsFirst(b: GraphBuilder, x: Value): Value {
  return b.transpose(
    x,
    x.shape.map((_, axis) => (axis < 2 ? 1 - axis : axis)),
  );
}

/**
 * The same where every channel has its own kernel: per tap Σ dy·x over batch and positions. As batched
 * products of vectors it takes three times as long.
 */
function depthwise(b: GraphBuilder, x: Value, dy: Value, window: Window, shape: Shape): Value {
  const [channels, , ...kernel] = shape as [number, number, ...number[]];
  const extents = dy.shape.slice(2);
  const whole = padded(b, x, window, extents);
  const taps = positions(kernel).map((tap) => {
    const sum = channelSum(b, b.mul(dy, met(b, whole, tap, window, extents))); // [C]
    return b.reshape(sum, [channels, 1]);
  });
  return b.reshape(b.concat(taps, 1), shape);
}

/** The entries of padded x, [·, ·, …], that a kernel tap meets at each of the output positions. */
function met(
  b: GraphBuilder,
  x: Value,
  tap: readonly number[],
  { strides, dilations }: Window,
  extents: Shape,
): Value {
  const starts = tap.map((at, axis) => at * dilations[axis]!);
  const ends = tap.map((_, axis) => starts[axis]! + strides[axis]! * (extents[axis]! - 1) + 1);
  return b.slice(
    x,
    tap.map((_, axis) => axis + 2),
    starts,
    ends,
    strides,
  );
}

/** x with the padding that the windows of `extents` outputs see; what lies behind the last is cropped. */
function padded(b: GraphBuilder, x: Value, window: Window, extents: Shape): Value {
  const begin = extents.map((_, axis) => window.pads[axis]!);
  const end = extents.map((extent, axis) => {
    const covered = window.strides[axis]! * (extent - 1) + reach(window, axis);
    return covered - begin[axis]! - x.shape[axis + 2]!;
  });
  return b.pad(x, [0, 0, ...begin, 0, 0, ...end]);
}
