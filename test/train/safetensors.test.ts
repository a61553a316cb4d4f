import { describe, expect, it } from "vitest";
import { float32, int64, type Tensor } from "../../src/core/tensor.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/train/safetensors.ts";

describe("safetensors", () => {
  const tensors = new Map<string, Tensor>([
    ["größe", float32([2, 2], [1, -2, 3.5, Number.NaN])],
    ["scalar", float32([], [7])],
    ["labels", int64([1, 2, 3])],
  ]);
  const bytes = encodeSafetensors({ tensors, metadata: { run: "x" } });

  it("keeps names, types, shapes, bits and metadata", () => {
    const read = decodeSafetensors(bytes);
    expect(read.metadata).toEqual({ run: "x" });
    expect([...read.tensors]).toEqual([...tensors]);
  });

  it("aligns the tensors to 8 bytes, as the format asks", () => {
    const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(header % 8).toBe(0);
    expect(bytes.length).toBe(8 + header + 16 + 4 + 24);
  });

  it("refuses files that are cut off", () => {
    for (const length of [3, 20, bytes.length - 1]) {
      expect(() => decodeSafetensors(bytes.subarray(0, length))).toThrow();
    }
  });
});
