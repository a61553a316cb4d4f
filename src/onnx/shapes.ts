import { invariant } from "../core/errors.ts";
import type { Shape } from "../core/tensor.ts";

/** The shape that NumPy-style broadcasting gives. */
export function broadcast(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    invariant(
      left === right || left === 1 || right === 1,
      `the shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`,
    );
    return left === 1 ? right : left;
  });
}

/** Maps negative axes to their non-negative equals and sorts them; an absent list means every axis. */
export function normaliseAxes(axes: readonly number[] | undefined, rank: number): number[] {
  const all = axes ?? Array.from({ length: rank }, (_, axis) => axis);
  return all.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}

/** The shape after reducing the (non-negative) axes. */
export function reduced(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return shape.flatMap((extent, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [extent]));
}

/** The shape of a (batched) matrix product of operands of rank ≥ 2. */
export function matmulShape(a: Shape, b: Shape): number[] {
  invariant(a.length >= 2 && b.length >= 2, "matmul needs operands of rank 2 or more");
  invariant(
    a.at(-1) === b.at(-2),
    `the matrices [${a.join(", ")}] and [${b.join(", ")}] do not multiply`,
  );
  return [...broadcast(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
}

/** Window of a convolution or pooling over the spatial axes. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of every spatial axis, then end of every spatial axis, as in ONNX. */
  readonly pads: readonly number[];
}

/** Spatial extents after a convolution or pooling: ⌊(in + pads − dilation·(kernel−1) − 1)/stride⌋ + 1. */
export function windowedExtents(spatial: Shape, window: Window, ceil = false): number[] {
  const round = ceil ? Math.ceil : Math.floor;
  return spatial.map((extent, axis) => {
    const reach = window.dilations[axis]! * (window.kernel[axis]! - 1) + 1;
    const padded = extent + window.pads[axis]! + window.pads[axis + spatial.length]!;
    return round((padded - reach) / window.strides[axis]!) + 1;
  });
}
