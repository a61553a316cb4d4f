import type { Shape } from "../core/tensor.ts";
import { attribute, type Node } from "../onnx/graph.ts";
import type { Window } from "../onnx/shapes.ts";

/**
 * The window of a Conv or pooling node with every default and automatic padding made explicit.
 * @param spatial extents of the input's spatial axes
 * @param kernel extents of the kernel, where the node's attribute leaves them out
 */
export function windowOf(node: Node, spatial: Shape, kernel: Shape = []): Window {
  const ones = spatial.map(() => 1);
  const window = {
    kernel: attribute(node, "kernel_shape", "ints", kernel),
    strides: attribute(node, "strides", "ints", ones),
    dilations: attribute(node, "dilations", "ints", ones),
  };
  const automatic = attribute(node, "auto_pad", "string", "NOTSET");
  if (automatic === "NOTSET" || automatic === "VALID") {
    const none = [...spatial, ...spatial].map(() => 0);
    const pads = automatic === "VALID" ? none : attribute(node, "pads", "ints", none);
    return { ...window, pads };
  }
  // SAME_*: ⌈in/stride⌉ outputs; an odd padding has its larger half at the end (UPPER) or begin (LOWER).
  const totals = spatial.map((extent, axis) => {
    const last = (Math.ceil(extent / window.strides[axis]!) - 1) * window.strides[axis]!;
    return Math.max(0, last + reach(window, axis) - extent);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total) => Math.ceil(total / 2));
  const pads = automatic === "SAME_LOWER" ? [...large, ...small] : [...small, ...large];
  return { ...window, pads };
}

/** Extent that a kernel covers along an axis: dilation·(kernel − 1) + 1. */
export function reach(window: Pick<Window, "kernel" | "dilations">, axis: number): number {
  return window.dilations[axis]! * (window.kernel[axis]! - 1) + 1;
}

/** Every position in a box, last axis fastest: of [2, 2]: [0,0], [0,1], [1,0], [1,1]. */
export function positions(extents: Shape): number[][] {
  return extents.reduce<number[][]>(
    (prefixes, extent) =>
      prefixes.flatMap((prefix) => Array.from({ length: extent }, (_, i) => [...prefix, i])),
    [[]],
  );
}
