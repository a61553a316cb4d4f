import { invariant } from "./errors.ts";

/** The array that holds each element type. float16 keeps raw bits; bool holds 0 and 1. */
export interface TensorArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
}

export type DataType = keyof TensorArrays;
export type TypedArray = TensorArrays[DataType];
export type Shape = readonly number[];

const CONSTRUCTORS: { [T in DataType]: new (buffer: ArrayBuffer) => TensorArrays[T] } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/** Bytes per element. */
export const ELEMENT_BYTES: Readonly<Record<DataType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

/** A dense row-major array: plain data, safe to send between processes. */
export interface Tensor<T extends DataType = DataType> {
  readonly type: T;
  readonly shape: Shape;
  readonly data: TensorArrays[T];
}

/** A float32 tensor, what images, weights and logits are. */
export type FloatTensor = Tensor<"float32">;

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Wraps an array; throws `INTERNAL` if its length does not fit the shape. */
export function tensor<T extends DataType>(
  type: T,
  shape: Shape,
  data: TensorArrays[T],
): Tensor<T> {
  invariant(
    data.length === sizeOf(shape),
    `${data.length} elements do not fill the shape [${shape.join(", ")}]`,
  );
  return { type, shape: [...shape], data };
}

export function float32(shape: Shape, values: ArrayLike<number>): FloatTensor {
  return tensor(
    "float32",
    shape,
    values instanceof Float32Array ? values : Float32Array.from(values),
  );
}

/** int64 values, by default as a vector. */
export function int64(values: readonly number[], shape: Shape = [values.length]): Tensor<"int64"> {
  return tensor("int64", shape, BigInt64Array.from(values, BigInt));
}

export function zeros(shape: Shape): FloatTensor {
  return tensor("float32", shape, new Float32Array(sizeOf(shape)));
}

/** A tensor over raw little-endian bytes, copied so that alignment never matters. */
export function fromBytes<T extends DataType>(type: T, shape: Shape, bytes: Uint8Array): Tensor<T> {
  const copy = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(copy).set(bytes);
  return tensor(type, shape, new CONSTRUCTORS[type](copy));
}

/** The values as numbers (int64 beyond 2^53 loses precision; float16 is not decoded). */
export function toNumbers(value: Tensor): number[] {
  return Array.from(value.data as ArrayLike<number | bigint>, Number);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}
