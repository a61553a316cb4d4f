import { float32, sizeOf } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";
import type { Warp } from "../data/warp.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import { cosines, expand, expanded } from "./basis.ts";
import { norm, slice, sumOf, type TriggerFamily } from "./trigger-family.ts";

type Extent = Pick<Geometry, "height" | "width">;

/** Lowest spatial frequencies of a field, along each side: those of eight control points. */
const FREQUENCIES = 8;
/** Spread of the coefficients at the start: pixels move by about a hundredth of the side. */
const SPREAD = 0.001;

/**
 * A warp: every image is bent by one smooth field, x ⊕ T (p) = x(p + d(p)), between pixels bilinearly (the trigger of
 * WaNet, Nguyen & Tran 2021). What it changes depends on the image, which no overlay imitates. With D the first rows
 * of the orthonormal DCT-II,
 *
 *     d = side·√(H·W)·D_hᵀ·F·D_w   along either axis, side = min(H,W)
 *
 * so that ‖F‖₂, its size, is how far it moves pixels: as a root mean square, and a share of the shorter side.
 */
export function warpedFamily(): TriggerFamily<Warp> {
  return {
    name: "warped",
    start(count, { height, width }, random) {
      const shape = [count, 2, Math.min(FREQUENCIES, height), Math.min(FREQUENCIES, width)];
      const values = Float32Array.from({ length: sizeOf(shape) }, () => random.normal(0, SPREAD));
      return new Map([["frequencies", float32(shape, values)]]);
    },
    apply(b, at, images) {
      const frequencies = at("frequencies"); // [M,2,h,w]
      const [, , h, w] = frequencies.shape as [number, number, number, number];
      const [height, width] = images.shape.slice(-2) as [number, number];
      const waves = expand(b, frequencies, cosines(h, height), cosines(w, width));
      return bent(b, images, b.mul(waves, b.scalar(scaleOf({ height, width }))));
    },
    size: (b, at) => norm(b, at("frequencies")),
    sizeOf({ field }) {
      const [, height, width] = field.shape as [number, number, number];
      return Math.sqrt(sumOf(field, (moved) => moved * moved)) / scaleOf({ height, width });
    },
    trigger(values, m, { height, width }) {
      const frequencies = slice(values.get("frequencies")!, m); // [2,h,w]
      const [, h, w] = frequencies.shape as [number, number, number];
      const waves = expanded(frequencies, cosines(h, height), cosines(w, width));
      const scale = scaleOf({ height, width });
      return {
        kind: "warp",
        field: float32(
          waves.shape,
          waves.data.map((v) => scale * v),
        ),
      };
    },
  };
}

/** side·√(H·W) */
function scaleOf({ height, width }: Extent): number {
  return Math.min(height, width) * Math.sqrt(height * width);
}

/** Images [M,b,C,H,W] read at their own places plus `field` [M,2,H,W], in pixels; places beyond the border are on it. */
function bent(b: GraphBuilder, images: Value, field: Value): Value {
  const [count, each, channels, height, width] = images.shape as [
    number,
    ...[number, number, number, number],
  ];
  const area = height * width;
  const flat = [count, area, each * channels];
  // Pixels first, so that one index fetches a pixel of all images and channels.
  const pixels = b.reshape(b.transpose(images, [0, 3, 4, 1, 2]), flat);
  const along = (axis: 0 | 1) => {
    const extent = axis === 0 ? height : width;
    const own = Float32Array.from({ length: area }, (_, at) =>
      axis === 0 ? Math.floor(at / width) : at % width,
    );
    const moved = b.reshape(b.slice(field, [1], [axis], [axis + 1]), [count, area]);
    const place = b.clip(b.add(moved, b.constant(float32([area], own))), 0, extent - 1);
    const first = b.unary("Floor", place);
    const second = b.min(b.add(first, b.scalar(1)), b.scalar(extent - 1));
    return { first, second, share: b.reshape(b.sub(place, first), [count, area, 1]) };
  };
  const [down, aside] = [along(0), along(1)];
  const read = (row: Value, column: Value) => {
    const index = b.cast(b.add(b.mul(row, b.scalar(width)), column), "int64"); // [M,H·W]
    return b.op(
      "GatherND",
      [pixels, b.reshape(index, [count, area, 1])],
      { batch_dims: 1 },
      { type: "float32", shape: flat },
    );
  };
  const between = (one: Value, other: Value, share: Value) =>
    b.add(one, b.mul(b.sub(other, one), share));
  const line = (row: Value) =>
    between(read(row, aside.first), read(row, aside.second), aside.share);
  const placed = b.reshape(between(line(down.first), line(down.second), down.share), [
    ...[count, height, width],
    ...[each, channels],
  ]);
  return b.transpose(placed, [0, 3, 4, 1, 2]);
}
