import { create } from "@bufbuild/protobuf";
import { AntidoteError, invariant } from "../core/errors.ts";
import {
  type DataType,
  ELEMENT_BYTES,
  fromBytes,
  sameShape,
  type Tensor,
  type TensorArrays,
} from "../core/tensor.ts";
import { ELEMENT_CODES, elementType, elementTypeName } from "./element-types.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half.ts";
import { type TensorProto, TensorProtoSchema } from "./proto/generated/onnx_pb.ts";

// Raw data is little-endian in the file and taken as it is: every platform of ONNX Runtime is
// little-endian. Typed fields are numbers, whatever the platform.

/** The field that holds a type's elements when they are not raw, and the array made of it. */
const TYPED_DATA: {
  [T in DataType]: {
    readonly field: "floatData" | "doubleData" | "int32Data" | "int64Data" | "uint64Data";
    readonly decode: (values: never[]) => TensorArrays[T];
  };
} = {
  float32: { field: "floatData", decode: (values) => Float32Array.from(values) },
  float64: { field: "doubleData", decode: (values) => Float64Array.from(values) },
  float16: { field: "int32Data", decode: (values) => Uint16Array.from(values) },
  bfloat16: { field: "int32Data", decode: (values) => Uint16Array.from(values) },
  int8: { field: "int32Data", decode: (values) => Int8Array.from(values) },
  uint8: { field: "int32Data", decode: (values) => Uint8Array.from(values) },
  int16: { field: "int32Data", decode: (values) => Int16Array.from(values) },
  uint16: { field: "int32Data", decode: (values) => Uint16Array.from(values) },
  int32: { field: "int32Data", decode: (values) => Int32Array.from(values) },
  bool: { field: "int32Data", decode: (values) => Uint8Array.from(values) },
  int64: { field: "int64Data", decode: (values) => BigInt64Array.from(values) },
  uint64: { field: "uint64Data", decode: (values) => BigUint64Array.from(values) },
  uint32: { field: "uint64Data", decode: (values: bigint[]) => Uint32Array.from(values, Number) },
};

/**
 * The tensor in a file, checked before anything is allocated: a few bytes cannot claim a large one.
 * @param name for messages; a tensor in an attribute has no name of its own
 * @throws `MODEL_INVALID`, `MODEL_UNSUPPORTED_TYPE`
 */
export function decodeTensor(proto: TensorProto, name = proto.name): Tensor {
  const type = supportedType(proto.dataType, name);
  const { shape, count } = checkedShape(proto.dims, name);
  if (proto.segment) throw invalid(name, "is stored in segments");
  const { field, decode } = TYPED_DATA[type];
  const typed = proto[field];
  if (proto.rawData.length > 0 || typed.length === 0) {
    const stored = proto.rawData.length / ELEMENT_BYTES[type];
    if (stored !== count) throw wrongCount(name, shape, stored);
    return fromBytes(type, shape, proto.rawData);
  }
  if (typed.length !== count) throw wrongCount(name, shape, typed.length);
  return { type, shape, data: decode(typed as never[]) };
}

/** A tensor with raw data, as files hold it; the bytes are shared, not copied. */
export function encodeTensor({ type, shape, data }: Tensor, name = ""): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: ELEMENT_CODES[type],
    dims: shape.map(BigInt),
    rawData: rawBytes(data),
  });
}

/**
 * Puts new values into a stored tensor, which keeps its name, element type and manner of storage.
 * float32 values fit float16, bfloat16 and float64 tensors too: they are rounded to the stored type.
 */
export function replaceValues(proto: TensorProto, value: Tensor): void {
  const type = supportedType(proto.dataType, proto.name);
  invariant(
    sameShape(proto.dims.map(Number), value.shape),
    `"${proto.name}" has the shape [${proto.dims.join(", ")}], not [${value.shape.join(", ")}]`,
  );
  const { data } = convertFloat(value, type);
  if (data.length === 0) return;
  const { field } = TYPED_DATA[type];
  if (proto[field].length === 0) {
    proto.rawData = rawBytes(data);
  } else if (field === "int64Data" || field === "uint64Data") {
    proto[field] = Array.from(data as ArrayLike<number | bigint>, BigInt);
  } else {
    proto[field] = Array.from(data as ArrayLike<number | bigint>, Number);
  }
}

/** A floating-point tensor as another floating-point type; the same tensor if it has that type. */
export function convertFloat(value: Tensor, type: DataType): Tensor {
  if (value.type === type) return value;
  const wide = widen(value);
  invariant(wide, `${value.type} values cannot be stored as ${type}`);
  const { shape } = value;
  switch (type) {
    case "float32":
      return { type, shape, data: Float32Array.from(wide) };
    case "float64":
      return { type, shape, data: Float64Array.from(wide) };
    case "float16":
      return { type, shape, data: toFloat16(Float32Array.from(wide)) };
    case "bfloat16":
      return { type, shape, data: toBfloat16(Float32Array.from(wide)) };
    default:
      invariant(false, `${value.type} values cannot be stored as ${type}`);
  }
}

function widen({ type, data }: Tensor): Float32Array | Float64Array | undefined {
  switch (type) {
    case "float32":
    case "float64":
      return data as Float32Array | Float64Array;
    case "float16":
      return fromFloat16(data as Uint16Array);
    case "bfloat16":
      return fromBfloat16(data as Uint16Array);
    default:
      return undefined;
  }
}

function rawBytes(data: Tensor["data"]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** The element type behind a number in a file; throws `MODEL_UNSUPPORTED_TYPE` if no tensor holds it. */
export function supportedType(code: number, name: string): DataType {
  const type = elementType(code);
  if (type) return type;
  throw new AntidoteError(
    "MODEL_UNSUPPORTED_TYPE",
    `The tensor "${name}" holds ${elementTypeName(code)} values, which Antidote does not compute with.`,
    { place: name, next: "Export the model with float32 weights." },
  );
}

function checkedShape(dims: readonly bigint[], name: string): { shape: number[]; count: number } {
  const shape = dims.map(Number);
  const count = shape.reduce((product, extent) => product * extent, 1);
  if (shape.some((extent) => extent < 0) || !shape.concat(count).every(Number.isSafeInteger)) {
    throw invalid(name, `has the impossible shape [${dims.join(", ")}]`);
  }
  return { shape, count };
}

function wrongCount(name: string, shape: readonly number[], stored: number): AntidoteError {
  return invalid(name, `of shape [${shape.join(", ")}] stores ${stored} elements`);
}

function invalid(name: string, problem: string): AntidoteError {
  return new AntidoteError("MODEL_INVALID", `The tensor "${name}" ${problem}.`, {
    place: name,
    next: "Download or export the model again.",
  });
}
