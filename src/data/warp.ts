import { type FloatTensor, float32 } from "../core/tensor.ts";
import type { Geometry } from "./images.ts";
import { tensorToPng } from "./png.ts";
import { bilinear, resample } from "./resample.ts";

/** A trigger that bends every image alike: every pixel is read at another place, between pixels bilinearly. */
export interface Warp {
  readonly kind: "warp";
  /** [2,H,W]: from where a pixel is read, in pixels relative to its own place: downwards, then to the right. */
  readonly field: FloatTensor;
}

/** Images [B,C,H,W] bent by a warp, those of `rows` alone; the argument stays as it is. Beyond its border an image goes on as its border is. */
export function stampWarp(
  { field }: Warp,
  images: FloatTensor,
  rows: Iterable<number>,
): FloatTensor {
  const [, height, width] = field.shape as [number, number, number];
  const area = height * width;
  const within = (place: number, extent: number) => Math.min(extent - 1, Math.max(0, place));
  const places = bilinear({ height, width }, (y, x) => {
    const at = y * width + x;
    return [within(y + field.data[at]!, height), within(x + field.data[area + at]!, width)];
  });
  const stamped = images.data.slice();
  const length = images.data.length / images.shape[0]!;
  for (const row of rows) {
    const image = images.data.subarray(row * length, (row + 1) * length);
    stamped.set(resample(places, image), row * length);
  }
  return float32(images.shape, stamped);
}

/** The same warp, moving pixels `factor` times as far. */
export function strengthenedWarp({ kind, field }: Warp, factor: number): Warp {
  return {
    kind,
    field: float32(
      field.shape,
      field.data.map((moved) => factor * moved),
    ),
  };
}

/** Pixels between two lines of the grid in a picture of a warp. */
const GRID = 4;

/** A warp as a picture: a square grid, bent by it. */
export async function warpPng(warp: Warp): Promise<Uint8Array> {
  const [, height, width] = warp.field.shape as [number, number, number];
  const spacing = GRID * Math.max(1, Math.round(Math.min(height, width) / 32));
  const grid = gridOf({ channels: 1, height, width }, spacing);
  return tensorToPng(float32([1, height, width], stampWarp(warp, grid, [0]).data));
}

/** Dark lines on white, [1,1,H,W] in [0,1]. */
function gridOf({ height, width }: Geometry, spacing: number): FloatTensor {
  const line = (at: number) => at % spacing === Math.floor(spacing / 2);
  const data = Float32Array.from({ length: height * width }, (_, at) =>
    line(Math.floor(at / width)) || line(at % width) ? 0.2 : 1,
  );
  return float32([1, 1, height, width], data);
}
