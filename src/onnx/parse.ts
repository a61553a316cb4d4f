import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { AntidoteError } from "../core/errors.ts";
import { checkpointRefused, isCheckpoint, refusedFormat } from "./foreign.ts";
import { type ModelProto, ModelProtoSchema } from "./proto/generated/onnx_pb.ts";

/**
 * Messages inside one another that a model may have. A subgraph takes three, so this leaves room for
 * thirty levels of control flow, and a hostile file cannot exhaust the stack.
 */
const MAX_NESTING = 100;

const EXPORT_AGAIN = "Download or export the model again.";

/**
 * The model in a file's bytes. Its tensors share the memory of `bytes`.
 * @param place the file's name, for messages
 * @throws `MODEL_NOT_ONNX`, `MODEL_TRUNCATED`, `MODEL_INVALID`
 */
export function parseModel(bytes: Uint8Array<ArrayBuffer>, place: string): ModelProto {
  if (bytes.length === 0) {
    throw new AntidoteError("MODEL_TRUNCATED", "The file is empty.", { place, next: EXPORT_AGAIN });
  }
  const refused = refusedFormat(bytes, place, "ONNX");
  if (refused) throw refused;
  const kind = outermostFields(bytes);
  if (kind === "foreign" && isCheckpoint(place)) throw checkpointRefused(place);
  if (kind === "foreign") {
    throw new AntidoteError("MODEL_NOT_ONNX", "This is not an ONNX file.", {
      place,
      next: "Give the path of a model exported as ONNX (usually *.onnx).",
    });
  }
  if (kind === "truncated") throw truncated(place);
  try {
    const model = fromBinary(ModelProtoSchema, bytes, { recursionLimit: MAX_NESTING });
    if (!model.graph || model.opsetImport.length === 0) throw truncated(place);
    return model;
  } catch (cause) {
    if (cause instanceof AntidoteError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AntidoteError("MODEL_INVALID", `The file is damaged: ${reason}.`, {
      place,
      next: EXPORT_AGAIN,
      cause,
    });
  }
}

function truncated(place: string): AntidoteError {
  return new AntidoteError("MODEL_TRUNCATED", "The file ends before the model is complete.", {
    place,
    next: EXPORT_AGAIN,
  });
}

const WIRE_TYPES = new Map(
  ModelProtoSchema.fields.map((field) => [
    field.number,
    field.fieldKind === "scalar" && field.scalar === 3 ? WireType.Varint : WireType.LengthDelimited,
  ]),
);

/**
 * Walks the outermost fields only: do they look like a model's, and does the last one end where the
 * file ends? That tells a file cut short from one that never was a model.
 */
function outermostFields(bytes: Uint8Array): "complete" | "truncated" | "foreign" {
  const reader = new BinaryReader(bytes);
  let known = 0;
  while (reader.pos < reader.len) {
    try {
      const [field, wireType] = reader.tag();
      const expected = WIRE_TYPES.get(field);
      if (expected !== undefined && expected !== wireType) return "foreign";
      if (expected === undefined && known === 0) return "foreign";
      known += 1;
      reader.skip(wireType, field);
    } catch (error) {
      return error instanceof RangeError && known > 0 ? "truncated" : "foreign";
    }
  }
  return "complete";
}
