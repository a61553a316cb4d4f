import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { DataType, Tensor } from "../../src/core/tensor.ts";
import { ELEMENT_CODES } from "../../src/onnx/element-types.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../src/onnx/half.ts";
import { TensorProtoSchema } from "../../src/onnx/proto/generated/onnx_pb.ts";
import { decodeTensor, encodeTensor, replaceValues } from "../../src/onnx/tensors.ts";

type Init = MessageInitShape<typeof TensorProtoSchema>;

/** One tensor of every element type, with the typed field that also can hold it. */
const TENSORS: [Tensor, Init][] = [
  [{ type: "float32", shape: [2], data: Float32Array.of(1.5, -2) }, { floatData: [1.5, -2] }],
  [{ type: "float64", shape: [2], data: Float64Array.of(0.1, -2) }, { doubleData: [0.1, -2] }],
  [
    { type: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    { int32Data: [0x3c00, 0xc000] },
  ],
  [
    { type: "bfloat16", shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
    { int32Data: [0x3f80, 0xc000] },
  ],
  [{ type: "int8", shape: [2], data: Int8Array.of(-128, 127) }, { int32Data: [-128, 127] }],
  [{ type: "uint8", shape: [2], data: Uint8Array.of(0, 255) }, { int32Data: [0, 255] }],
  [{ type: "int16", shape: [2], data: Int16Array.of(-32768, 1) }, { int32Data: [-32768, 1] }],
  [{ type: "uint16", shape: [2], data: Uint16Array.of(65535, 1) }, { int32Data: [65535, 1] }],
  [{ type: "int32", shape: [1, 2], data: Int32Array.of(-7, 9) }, { int32Data: [-7, 9] }],
  [{ type: "uint32", shape: [1], data: Uint32Array.of(4294967295) }, { uint64Data: [4294967295n] }],
  [
    { type: "int64", shape: [1], data: BigInt64Array.of(-(2n ** 63n)) },
    { int64Data: [-(2n ** 63n)] },
  ],
  [
    { type: "uint64", shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
    { uint64Data: [2n ** 64n - 1n] },
  ],
  [{ type: "bool", shape: [2], data: Uint8Array.of(1, 0) }, { int32Data: [1, 0] }],
  [{ type: "float32", shape: [], data: Float32Array.of(3) }, { floatData: [3] }],
  [{ type: "float32", shape: [0, 4], data: new Float32Array() }, {}],
];

const proto = (type: DataType | number, dims: (number | bigint)[], data: Init = {}) =>
  create(TensorProtoSchema, {
    name: "w",
    dataType: typeof type === "number" ? type : ELEMENT_CODES[type],
    dims: dims.map(BigInt),
    ...data,
  });

describe("tensors in files", () => {
  it.each(TENSORS)("reads and writes %o", (tensor, typed) => {
    expect(decodeTensor(encodeTensor(tensor, "w"))).toEqual(tensor);
    const stored = proto(tensor.type, [...tensor.shape], typed);
    expect(decodeTensor(stored)).toEqual(tensor);

    const before = clone(TensorProtoSchema, stored);
    replaceValues(stored, tensor);
    expect(stored).toEqual(before);
  });

  it("writes float32 values in the stored type and manner", () => {
    const values: Tensor = { type: "float32", shape: [2], data: Float32Array.of(0.1, 70000) };
    const half = proto("float16", [2], { int32Data: [0, 0] });
    replaceValues(half, values);
    expect([half.int32Data, half.rawData.length]).toEqual([[0x2e66, 0x7c00], 0]);
    const brain = proto("bfloat16", [2], { rawData: new Uint8Array(4) });
    replaceValues(brain, values);
    expect([...brain.rawData]).toEqual([0xcd, 0x3d, 0x89, 0x47]);
    const double = proto("float64", [2], { doubleData: [0, 0] });
    replaceValues(double, values);
    expect(double.doubleData).toEqual([Math.fround(0.1), 70000]);
  });

  it.each([
    ["a negative extent", proto("float32", [-1, -4], { floatData: [1, 2, 3, 4] })],
    ["more elements than stored", proto("float32", [1_000_000_000_000], { floatData: [1] })],
    ["fewer elements than stored", proto("float32", [1], { rawData: new Uint8Array(8) })],
    ["an element cut short", proto("float32", [1], { rawData: new Uint8Array(3) })],
    ["a product beyond 2^53", proto("float32", [2n ** 40n, 2n ** 40n])],
    ["an extent beyond 2^53", proto("float32", [2n ** 62n, 0n])],
    ["no data", proto("float32", [3])],
    ["data in the wrong field", proto("float32", [1], { int32Data: [1] })],
    ["segments", proto("float32", [1], { floatData: [1], segment: { begin: 0n, end: 1n } })],
  ])("refuses %s", (_, stored) => {
    expect(() => decodeTensor(stored)).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", place: "w" }),
    );
  });

  it.each([
    [8, "string"],
    [22, "int4"],
    [17, "float8e4m3fn"],
    [99, "type 99"],
  ])("refuses element type %i by name", (code, name) => {
    expect(() => decodeTensor(proto(code, [0]))).toThrow(
      expect.objectContaining({
        code: "MODEL_UNSUPPORTED_TYPE",
        message: expect.stringContaining(name),
      }),
    );
  });
});

describe("half precision", () => {
  it("float16: every value survives, and ties go to even", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
      (it) => (it & 0x7c00) !== 0x7c00 || (it & 0x3ff) === 0,
    );
    const again = toFloat16(fromFloat16(bits));
    expect(bits.findIndex((it, i) => it !== again[i])).toBe(-1);
    // Subnormals, halfway cases, the largest finite value and the first that overflows.
    const values = Float32Array.of(
      2 ** -24,
      2 ** -25,
      3 * 2 ** -25,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      65504,
      65519.996,
      65520,
      Number.NaN,
    );
    expect([...toFloat16(values)]).toEqual([
      0x0001, 0x0000, 0x0002, 0x3c00, 0x3c02, 0x7bff, 0x7bff, 0x7c00, 0x7e00,
    ]);
  });

  it("bfloat16: every value survives, and ties go to even", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
      (it) => (it & 0x7f80) !== 0x7f80 || (it & 0x7f) === 0,
    );
    const again = toBfloat16(fromBfloat16(bits));
    expect(bits.findIndex((it, i) => it !== again[i])).toBe(-1);
    const values = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, Number.NaN, 3.4e38);
    expect([...toBfloat16(values)]).toEqual([0x3f80, 0x3f82, 0x7fc0, 0x7f80]);
  });
});
