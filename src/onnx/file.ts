import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { clone, toBinary } from "@bufbuild/protobuf";
import { AntidoteError } from "../core/errors.ts";
import { writeAtomically } from "../core/write-file.ts";
import { detachExternalData, externalTensors, loadExternalData } from "./external.ts";
import { parseModel } from "./parse.ts";
import { type ModelProto, ModelProtoSchema } from "./proto/generated/onnx_pb.ts";
import { readAt } from "./read.ts";

/** A model file, complete in memory. Tensors marked as external hold their bytes in `rawData`. */
export interface OnnxFile {
  /** Where it was read from. */
  readonly path: string;
  readonly model: ModelProto;
  /** All files that it was read from, where those are several, `path` first. */
  readonly parts?: readonly string[] | undefined;
}

/** What one ONNX file can hold: the limit of its format, protocol buffers. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/** What a model may take with its external data, unless the caller says otherwise. */
const MAX_MODEL_BYTES = 4 * 2 ** 30;

/**
 * Reads a model and its external data.
 * @param maxBytes size limit, external data included
 * @throws `MODEL_NOT_FOUND`, `MODEL_NOT_ONNX`, `MODEL_TRUNCATED`, `MODEL_INVALID`, `MODEL_TOO_LARGE`,
 *   `EXTERNAL_DATA_OUTSIDE`, `EXTERNAL_DATA_MISSING`
 */
export async function readOnnxFile(path: string, maxBytes = MAX_MODEL_BYTES): Promise<OnnxFile> {
  const limit = Math.min(maxBytes, MAX_FILE_BYTES);
  const bytes = await readBounded(path, limit);
  const model = parseModel(bytes, path);
  await loadExternalData(model, path, maxBytes - bytes.length);
  return { path, model };
}

/**
 * Writes a model, external tensors to `<path>.data`. Each file appears complete or not at all.
 * @throws `OUTPUT_NOT_WRITABLE`, `MODEL_TOO_LARGE`
 */
export async function writeOnnxFile(path: string, { model }: OnnxFile): Promise<void> {
  if (externalTensors(model).length === 0) {
    await writeAtomically(path, [{ offset: 0, bytes: encodeModel(model, path) }]);
    return;
  }
  const detached = clone(ModelProtoSchema, model);
  const pieces = detachExternalData(detached, `${basename(path)}.data`);
  await writeAtomically(`${path}.data`, pieces);
  await writeAtomically(path, [{ offset: 0, bytes: encodeModel(detached, path) }]);
}

function encodeModel(model: ModelProto, place: string): Uint8Array {
  const tooLarge = (cause?: unknown) =>
    new AntidoteError("MODEL_TOO_LARGE", "One ONNX file cannot hold more than 2 GB.", {
      place,
      next: "Save the original with external data: `onnx.save(model, path, save_as_external_data=True)`.",
      cause,
    });
  let bytes: Uint8Array;
  try {
    bytes = toBinary(ModelProtoSchema, model);
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(cause);
    throw cause;
  }
  if (bytes.length > MAX_FILE_BYTES) throw tooLarge();
  return bytes;
}

async function readBounded(path: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    // Checked before opening: opening a named pipe would wait for ever.
    if (!(await stat(path)).isFile()) {
      throw new AntidoteError("MODEL_NOT_ONNX", "This is not a file.", {
        place: path,
        next: "Give the path of the .onnx file itself.",
      });
    }
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > limit) {
      throw new AntidoteError(
        "MODEL_TOO_LARGE",
        `The file has ${(size / 1e9).toFixed(1)} GB; ${(limit / 1e9).toFixed(1)} GB are read at most.`,
        { place: path, next: "Use a smaller model, or move its weights to external data." },
      );
    }
    return await readAt(file, 0, size);
  } catch (cause) {
    if (cause instanceof AntidoteError) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new AntidoteError(
      "MODEL_NOT_FOUND",
      missing ? "There is no such file." : "The file cannot be read.",
      {
        place: path,
        next: missing ? "Check the path of the model." : "Check its permissions.",
        cause,
      },
    );
  }
}
