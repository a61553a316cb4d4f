import { float32, type Shape, sizeOf } from "../core/tensor.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { attribute, graphValue, type Node, type StaticGraph, type Value } from "../onnx/graph.ts";
import type { Window } from "../onnx/shapes.ts";
import { replaceNodes } from "./replace-nodes.ts";
import { positions, windowOf } from "./window.ts";

/*
 * Convolutions with 3×3 kernels by Winograd's algorithm F(2×2, 3×3) (Lavin & Gray 2016, section 4.1):
 * four outputs from a tile d of 4×4 inputs with 16 products instead of 36,
 *
 *     Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A,     dg = Gᵀ[(A dY Aᵀ) ⊙ (Bᵀ d B)]G
 *
 * for the kernel g and its gradient. Summed over channels, or over tiles, ⊙ is 16 matrix products. A
 * transform of both axes of many tiles is one product too, with the Kronecker square of its matrix.
 * Results differ from those of a direct convolution by a few 1e-6 of their size.
 */

type Matrix = readonly (readonly number[])[];

const A_TRANSPOSED: Matrix = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];
const B_TRANSPOSED: Matrix = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const G: Matrix = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];

/**
 * From how many channels on, of input and output, the products outweigh the transforms. CPU time at batch
 * 128 compared to a direct convolution: with 512, 256, 128, 64 channels 0.68, 0.75, 0.96, 1.4, and for the
 * gradient of the weight 0.59, 0.76, 0.84, 1.3. Sharing transforms among them gains more: a training step
 * of ResNet-18 takes 0.95 times as long with 128 here as with 256. With 96, one whose last stage has 96 channels at
 * 4² positions takes 0.86 times as long; at 64 and 48 nothing more was gained.
 */
const CHANNELS = 96;
/**
 * The same for constant weights, which ONNX Runtime packs once, and whose convolutions it fuses with what
 * follows: an inversion step takes 0.85 times as long as without, with 128 here 0.98 times.
 */
const CHANNELS_OF_CONSTANT = 256;
/** With fewer tiles the transform of the kernel, whose size does not depend on them, is too large a share. */
const TILES = 128;

/**
 * Whether a convolution has a form that pays.
 * @param w the kernels, [K, C/group, …]
 * @param y the result or its gradient, [N, K, …]
 */
export function isWinograd(
  b: Pick<GraphBuilder, "constants">,
  { kernel, strides, dilations }: Window,
  group: number,
  w: Value,
  y: Value,
): boolean {
  const [outputs, inputs] = w.shape as [number, number];
  const [batch, , ...extents] = y.shape as [number, number, ...number[]];
  return (
    y.type === "float32" &&
    kernel.length === 2 &&
    kernel.every((extent) => extent === 3) &&
    [...strides, ...dilations].every((step) => step === 1) &&
    group === 1 &&
    Math.min(outputs, inputs) >= (b.constants.has(w.name) ? CHANNELS_OF_CONSTANT : CHANNELS) &&
    batch * sizeOf(tileGrid(extents)) >= TILES
  );
}

/** Replaces the convolutions that pay. Nothing differentiates the result: do this last. */
export function winogradConvolutions(graph: StaticGraph): StaticGraph {
  const operands = (node: Node) =>
    node.inputs.map((name) => (name === "" ? undefined : graphValue(graph, name)));
  const pays = (node: Node): boolean => {
    if (node.op !== "Conv" || node.domain !== "") return false;
    const [x, w] = operands(node);
    const window = windowOf(node, x!.shape.slice(2), w!.shape.slice(2));
    const y = graphValue(graph, node.outputs[0]!);
    return isWinograd(graph, window, attribute(node, "group", "int", 1), w!, y);
  };
  return replaceNodes(graph, "winograd", pays, (node, b) => {
    const [x, w, bias] = operands(node);
    const { pads } = windowOf(node, x!.shape.slice(2), w!.shape.slice(2));
    const kernels = b.transpose(kernelTransform(b, "kernel", G, w!), [0, 2, 1]); // [16, C, K]
    const y = correlation(b, x!, kernels, pads); // [N,K,H',W']
    const whole = bias ? b.add(y, b.reshape(bias, [bias.shape[0]!, 1, 1])) : y;
    const name = node.outputs[0]!;
    b.emit("Identity", [whole], {}, [whole], [name]);
  });
}

/**
 * Gradient of a convolution for its input: the convolution of dy with the flipped kernels.
 * @param dy [N,K,H',W']
 * @param w [K,C,3,3]
 * @param pads of the flipped convolution
 * @returns [N,C,H,W]
 */
export function winogradInputGradient(b: GraphBuilder, dy: Value, w: Value, pads: Shape): Value {
  const flipped = G.map((row) => row.toReversed());
  const kernels = kernelTransform(b, "flipped-kernel", flipped, w); // [16, K, C]
  return correlation(b, dy, kernels, pads);
}

/**
 * Gradient of a convolution for its weight.
 * @param x [N,C,H,W]
 * @param dy [N,K,H',W']
 * @param pads of the convolution
 * @returns [K,C,3,3]
 */
export function winogradWeightGradient(b: GraphBuilder, x: Value, dy: Value, pads: Shape): Value {
  const [batch, outputs, ...extents] = dy.shape as [number, number, ...number[]];
  const inputs = x.shape[1]!;
  const grid = tileGrid(extents);
  const corners = tileEntries(b, dy, [0, 0], 2, grid);
  const spread = transform(b, "output-gradient", transposed(A_TRANSPOSED), corners);
  const left = b.reshape(spread, [16, sizeOf(grid) * batch, outputs]);
  const right = inputTiles(b, x, pads, extents); // [16, tiles, C]
  const products = b.matmul(b.transpose(left, [0, 2, 1]), right); // [16, K, C]
  const flat = b.reshape(products, [16, outputs * inputs]);
  const square = matrix(b, "kernel-gradient", G); // [16, 9]
  return b.reshape(b.matmul(b.transpose(flat, [1, 0]), square), [outputs, inputs, 3, 3]);
}

/** x [N,C,H,W], kernels [16,C,K] → [N,K,H',W']. */
function correlation(b: GraphBuilder, x: Value, kernels: Value, pads: Shape): Value {
  const batch = x.shape[0]!;
  const outputs = kernels.shape[2]!;
  const extents = x.shape.slice(2).map((extent, i) => extent + pads[i]! + pads[i + 2]! - 2);
  const [rows, columns] = tileGrid(extents) as [number, number];
  const products = b.matmul(inputTiles(b, x, pads, extents), kernels); // [16, tiles·N, K]
  const flat = b.reshape(products, [16, rows * columns * batch * outputs]);
  const y = transform(b, "output", A_TRANSPOSED, flat);
  const corners = b.reshape(y, [2, 2, rows, columns, batch * outputs]);
  const interleaved = b.transpose(corners, [2, 0, 3, 1, 4]); // [rows, 2, columns, 2, N·K]
  const whole = b.reshape(interleaved, [2 * rows, 2 * columns, batch * outputs]);
  const cropped = b.slice(whole, [0, 1], [0, 0], extents);
  const planes = b.transpose(b.reshape(cropped, [sizeOf(extents), batch * outputs]), [1, 0]);
  return b.reshape(planes, [batch, outputs, ...extents]);
}

/**
 * Bᵀ d B of all tiles. Matrices have fixed names, so that ONNX Runtime sees that a convolution and its
 * weight gradient share this and computes it once.
 * @param extents of the output
 * @returns [16, tiles·N, C]
 */
function inputTiles(b: GraphBuilder, x: Value, pads: Shape, extents: Shape): Value {
  const [batch, inputs] = x.shape as [number, number];
  const grid = tileGrid(extents);
  const entries = tileEntries(b, x, pads.slice(0, 2), 4, grid);
  return b.reshape(transform(b, "input", B_TRANSPOSED, entries), [
    16,
    sizeOf(grid) * batch,
    inputs,
  ]);
}

/**
 * Entry (i, j) of every size×size tile of padded x, two apart: [N,C,H,W] → [size², tiles·N·C]. With positions
 * first, all images and channels of a position are copied at once: a convolution takes 0.80 times as long as
 * with a strided slice per entry at 16² positions and 128 channels, 0.78 at 8² and 256, the same at 4² and 512.
 */
function tileEntries(b: GraphBuilder, x: Value, begins: Shape, size: number, grid: Shape): Value {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const pixels = b.transpose(b.reshape(x, [batch * channels, height * width]), [1, 0]); // [H·W, N·C]
  const zeroed = b.pad(pixels, [0, 0, 1, 0]);
  const inside = (at: number, extent: number) => at >= 0 && at < extent;
  const indices = positions([size, size]).flatMap(([i, j]) =>
    positions(grid).map(([row, column]) => {
      const [h, w] = [2 * row! + i! - begins[0]!, 2 * column! + j! - begins[1]!];
      return inside(h, height) && inside(w, width) ? h * width + w : height * width;
    }),
  );
  const entries = b.gather(zeroed, b.ints(indices)); // [size²·tiles, N·C]
  return b.reshape(entries, [size ** 2, sizeOf(grid) * batch * channels]);
}

/** m g mᵀ of every kernel of w [K,C,3,3]: [16,K,C]. */
function kernelTransform(b: GraphBuilder, of: string, m: Matrix, w: Value): Value {
  const [outputs, inputs] = w.shape as [number, number];
  const columns = b.transpose(b.reshape(w, [outputs * inputs, 9]), [1, 0]);
  return b.reshape(transform(b, of, m, columns), [16, outputs, inputs]);
}

/** Tiles along each axis of the output; the last may hang over. */
function tileGrid(extents: Shape): number[] {
  return extents.map((extent) => Math.ceil(extent / 2));
}

/** m t mᵀ of every tile t; a column of `tiles` holds one, row by row. */
function transform(b: GraphBuilder, of: string, m: Matrix, tiles: Value): Value {
  return b.matmul(matrix(b, of, m), tiles);
}

/** m ⊗ m, the same constant for every use in a graph. */
function matrix(b: GraphBuilder, of: string, m: Matrix): Value {
  const name = `~winograd/${of}`;
  if (b.constants.has(name)) return b.value(name);
  const entries = m.flatMap((row) =>
    m.flatMap((other) => row.flatMap((left) => other.map((right) => left * right))),
  );
  return b.constant(float32([m.length ** 2, m[0]!.length ** 2], entries), name);
}

function transposed(m: Matrix): Matrix {
  return m[0]!.map((_, column) => m.map((row) => row[column]!));
}
