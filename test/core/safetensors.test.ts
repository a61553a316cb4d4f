import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors, repeatedKey } from "../../src/core/safetensors.ts";
import { float32, int64, type Tensor } from "../../src/core/tensor.ts";

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

  /** A file with this header and so many bytes of tensors. */
  function withHeader(header: string, dataBytes: number): Uint8Array {
    const text = new TextEncoder().encode(header);
    const file = new Uint8Array(8 + text.length + dataBytes);
    new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
    file.set(text, 8);
    return file;
  }
  const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const of = (entries: object) => JSON.stringify(entries);

  it.each<[string, string, number, string]>([
    ["a gap", of({ a: entry(0, 4), b: entry(8, 12) }), 12, "leaves a gap"],
    ["an overlap", of({ a: entry(0, 8), b: entry(4, 12) }), 12, "overlaps"],
    ["two on the same bytes", of({ a: entry(0, 4), b: entry(0, 4) }), 4, "overlaps"],
    ["bytes of no tensor", of({ a: entry(0, 4) }), 8, "4 bytes at its end"],
    ["an end beyond the file", of({ a: entry(0, 8) }), 4, "incomplete"],
    ["a shape of another size", of({ a: entry(0, 4, [2]) }), 4, "incomplete"],
    ["a shape beyond counting", of({ a: entry(0, 4, [2 ** 52, 2 ** 52]) }), 4, "incomplete"],
    ["a negative extent", of({ a: entry(0, 4, [-1]) }), 4, "damaged"],
    ["offsets backwards", of({ a: entry(8, 4, [1]) }), 8, "incomplete"],
    ["an unknown type", of({ a: entry(0, 4, [4], "F8_E4M3") }), 4, "unknown type"],
    ["fields of its own", of({ a: { ...entry(0, 4), code: "x" } }), 4, "damaged"],
    ["metadata that are no texts", of({ __metadata__: { a: 1 } }), 0, "metadata"],
    ["a list", "[]", 0, "no JSON object"],
    [
      "a name twice",
      `{"a":${of(entry(0, 4))},"\\u0061":${of(entry(0, 4))}}`,
      4,
      'the tensor "a" twice',
    ],
  ])("refuses %s", (_, header, dataBytes, reason) => {
    expect(() => decodeSafetensors(withHeader(header, dataBytes))).toThrow(reason);
  });

  it("refuses a header that is too large before it reads it", () => {
    const file = new Uint8Array(16);
    new DataView(file.buffer).setBigUint64(0, 2n ** 60n, true);
    expect(() => decodeSafetensors(file)).toThrow(
      "announces a header of 1152921504606846976 bytes",
    );
  });

  it("finds a key that comes twice in any object, and only there", () => {
    expect(repeatedKey('{"a": {"b": 1, "b": 2}}')).toBe("b");
    expect(
      repeatedKey('{"a": {"b": 1}, "c": [{"b": ":"}, {"b": "}"}], "\\"": "a"}'),
    ).toBeUndefined();
  });

  it("refuses files that are cut off", () => {
    for (const length of [3, 20, bytes.length - 1]) {
      expect(() => decodeSafetensors(bytes.subarray(0, length))).toThrow();
    }
  });
});
