import { z } from "zod";
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

/** Where the values of a tensor are in a file, and how they are stored. */
export interface StoredTensor {
  readonly type: DataType;
  readonly shape: Shape;
  /** First byte in the file, and the one behind the last. */
  readonly begin: number;
  readonly end: number;
}

/** What the header of a file says. */
export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes of a header at most: room for a hundred thousand tensors. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;

/** More axes than any tensor has. */
const extents = z.array(z.int().min(0)).max(16);

const ENTRY = z.strictObject({
  dtype: z.string(),
  shape: extents,
  /** Begin and end, counted from the end of the header. */
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});

const METADATA = z.record(z.string(), z.string());

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

/**
 * Length of the header, from the first eight bytes of a file.
 * @throws a plain `Error` if the file ends before, or the header is larger than any sensible one
 */
export function headerLength(start: Uint8Array): number {
  if (start.length < LENGTH_BYTES) throw new Error("it ends within its header");
  const view = new DataView(start.buffer, start.byteOffset, LENGTH_BYTES);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new Error(
      `it announces a header of ${length} bytes; ${MAX_HEADER_BYTES} are read at most`,
    );
  }
  return Number(length);
}

/**
 * Reads a header. As the format demands, tensors fill the rest of the file without gap and overlap, and no name comes
 * twice: another reader could otherwise see another model in the same file.
 * @param header the bytes after the first eight
 * @param fileBytes size of the whole file
 * @throws a plain `Error` that says what is wrong
 */
export function parseHeader(header: Uint8Array, fileBytes: number): SafetensorsHeader {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(header);
  const content = JSON.parse(text) as unknown;
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new Error("its header is no JSON object");
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw new Error(`it names the tensor ${shown(twice)} twice`);
  const start = LENGTH_BYTES + header.length;
  const entries = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(content)) {
    if (name === "__metadata__") {
      const strings = METADATA.safeParse(value);
      if (!strings.success) throw new Error("its metadata are no texts");
      metadata = strings.data;
    } else {
      entries.set(name, storedTensor(name, value, start, fileBytes));
    }
  }
  let end = start;
  for (const [name, entry] of [...entries].sort(
    ([, a], [, b]) => a.begin - b.begin || a.end - b.end,
  )) {
    if (entry.begin !== end) {
      throw new Error(
        `the tensor ${shown(name)} ${entry.begin < end ? "overlaps another" : "leaves a gap before it"}`,
      );
    }
    end = entry.end;
  }
  if (end !== fileBytes) throw new Error(`${fileBytes - end} bytes at its end belong to no tensor`);
  return { entries, metadata };
}

function storedTensor(
  name: string,
  value: unknown,
  start: number,
  fileBytes: number,
): StoredTensor {
  const parsed = ENTRY.safeParse(value);
  if (!parsed.success) throw new Error(`the entry of the tensor ${shown(name)} is damaged`);
  const { dtype, shape, data_offsets } = parsed.data;
  const type = TYPES.get(dtype);
  if (!type) throw new Error(`it holds elements of the unknown type ${shown(dtype)}`);
  const [begin, end] = [start + data_offsets[0], start + data_offsets[1]];
  if (end > fileBytes || end - begin !== sizeOf(shape) * ELEMENT_BYTES[type]) {
    throw new Error(`the tensor ${shown(name)} is incomplete`);
  }
  return { type, shape, begin, end };
}

/** A name in a message, cut short: whoever wrote the file chose its length. */
function shown(name: string): string {
  return name.length <= 60 ? `"${name}"` : `"${name.slice(0, 60)}…"`;
}

/** A key that comes twice in one object of a JSON text; parsers differ in which they take. @param text valid JSON */
export function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  let last = "";
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token !== ":") last = token;
    else {
      const key = JSON.parse(last) as string;
      if (open.at(-1)!.has(key)) return key;
      open.at(-1)!.add(key);
    }
  }
  return undefined;
}

/** Reads what `encodeSafetensors` or another writer made; throws a plain `Error` if it is damaged. */
export function decodeSafetensors(bytes: Uint8Array): TensorFile {
  const start = LENGTH_BYTES + headerLength(bytes);
  if (start > bytes.length) throw new Error("it ends within its header");
  const { entries, metadata } = parseHeader(bytes.subarray(LENGTH_BYTES, start), bytes.length);
  const tensors = new Map<string, Tensor>();
  for (const [name, { type, shape, begin, end }] of entries) {
    tensors.set(name, fromBytes(type, shape, bytes.subarray(begin, end)));
  }
  return { tensors, metadata };
}
