import type { DataType } from "../core/tensor.ts";

/** The number that stands for each element type in an ONNX file (`TensorProto.DataType`). */
export const ELEMENT_CODES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** Element types that exist in ONNX files but not as tensors here. */
const UNSUPPORTED_NAMES = new Map([
  [8, "string"],
  [14, "complex64"],
  [15, "complex128"],
  [17, "float8e4m3fn"],
  [18, "float8e4m3fnuz"],
  [19, "float8e5m2"],
  [20, "float8e5m2fnuz"],
  [21, "uint4"],
  [22, "int4"],
  [23, "float4e2m1"],
  [24, "float8e8m0"],
  [25, "uint2"],
  [26, "int2"],
  [27, "float6e2m3"],
  [28, "float6e3m2"],
]);

const TYPES_BY_CODE = new Map(
  Object.entries(ELEMENT_CODES).map(([type, code]) => [code, type as DataType]),
);

/** The element type behind a number in a file; undefined where no tensor here can hold it. */
export function elementType(code: number): DataType | undefined {
  return TYPES_BY_CODE.get(code);
}

/** A name for messages, of types without a tensor as well. */
export function elementTypeName(code: number): string {
  return elementType(code) ?? UNSUPPORTED_NAMES.get(code) ?? `type ${code}`;
}
