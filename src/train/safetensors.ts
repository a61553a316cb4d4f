import {
  type DataType,
  ELEMENT_BYTES,
  fromBytes,
  type Shape,
  sizeOf,
  type Tensor,
} from "../core/tensor.ts";

/** Named tensors with a few words about them, as the safetensors format stores them. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const NAMES: Readonly<Record<DataType, string>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  bfloat16: "BF16",
  int8: "I8",
  uint8: "U8",
  int16: "I16",
  uint16: "U16",
  int32: "I32",
  uint32: "U32",
  int64: "I64",
  uint64: "U64",
  bool: "BOOL",
};
const TYPES = new Map(Object.entries(NAMES).map(([type, name]) => [name, type as DataType]));

interface Entry {
  readonly dtype: string;
  readonly shape: Shape;
  /** Begin and end, counted from the end of the header. */
  readonly data_offsets: readonly [number, number];
}

const LENGTH_BYTES = 8;

/** The file as bytes: the length of the header (u64), the header as JSON, the tensors one after the other. */
export function encodeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { type, shape, data }] of tensors) {
    header[name] = { dtype: NAMES[type], shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const text = JSON.stringify(header);
  // The header is padded with spaces, so that tensors begin at a multiple of 8.
  const unpadded = new TextEncoder().encode(text).length;
  const start = LENGTH_BYTES + Math.ceil(unpadded / 8) * 8;
  const bytes = new Uint8Array(start + end);
  bytes.fill(" ".charCodeAt(0), LENGTH_BYTES, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - LENGTH_BYTES), true);
  new TextEncoder().encodeInto(text, bytes.subarray(LENGTH_BYTES));
  let offset = start;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}

/** Reads what `encodeSafetensors` or another writer made; throws a plain `Error` if it is damaged. */
export function decodeSafetensors(bytes: Uint8Array): TensorFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = LENGTH_BYTES + Number(view.getBigUint64(0, true));
  if (start > bytes.length) throw new Error("it ends within its header");
  const text = new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, start));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(text) as Record<string, Entry> & {
    __metadata__?: Record<string, string>;
  };
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const type = TYPES.get(dtype);
    const [begin, end] = data_offsets;
    if (!type) throw new Error(`it holds elements of the unknown type ${dtype}`);
    if (end - begin !== sizeOf(shape) * ELEMENT_BYTES[type] || start + end > bytes.length) {
      throw new Error(`the tensor "${name}" is incomplete`);
    }
    tensors.set(name, fromBytes(type, shape, bytes.subarray(start + begin, start + end)));
  }
  return { tensors, metadata };
}
