import { expect } from "vitest";
import type { Tensor } from "../../src/core/tensor.ts";
import { readOnnxFile } from "../../src/onnx/file.ts";
import type { StaticGraph } from "../../src/onnx/graph.ts";
import { importGraph } from "../../src/onnx/import.ts";
import { inSinglePrecision } from "../../src/onnx/single-precision.ts";
import type { Device } from "../../src/runtime/device.ts";
import { specialise } from "../../src/runtime/specialise.ts";
import { fill } from "../train/fill.ts";

/** Euclidean norm of a tensor and its product with a direction, the one of its seed. */
export type Summary = readonly [norm: number, product: number];

/** A model file for one batch size. */
export async function loadModel(path: string, batch: number, device: Device): Promise<StaticGraph> {
  return specialise(inSinglePrecision(importGraph(await readOnnxFile(path))), batch, device);
}

export function euclidean(values: Float32Array): number {
  return Math.sqrt(values.reduce((total, value) => total + value * value, 0));
}

/** Compares a tensor with what PyTorch has. The product is compared with what it could be at most, as it may cancel. */
export function expectClose(
  found: Tensor | undefined,
  golden: Summary,
  seed: number,
  tolerance: number,
  what?: string,
): void {
  const values = found!.data as Float32Array;
  const direction = fill(seed, found!.shape).data;
  const norm = euclidean(values);
  const product = values.reduce((total, value, i) => total + value * direction[i]!, 0);
  const scale = golden[0] * Math.sqrt(values.length) || 1e-12;
  expect(Math.abs(norm - golden[0]) / (golden[0] || 1), what).toBeLessThan(tolerance);
  expect(Math.abs(product - golden[1]) / scale, what).toBeLessThan(tolerance);
}
