import { type FileHandle, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { create } from "@bufbuild/protobuf";
import { AntidoteError } from "../core/errors.ts";
import { realPathInside } from "../core/inside.ts";
import {
  type ModelProto,
  StringStringEntryProtoSchema,
  type TensorProto,
} from "./proto/generated/onnx_pb.ts";
import { openFile, readAt } from "./read.ts";
import { allTensors } from "./walk.ts";

/** `TensorProto.data_location` of a tensor whose bytes are in another file. */
const EXTERNAL = 1;

/** Where external tensors start in the file written for them: multiples of a memory page. */
const ALIGNMENT = 4096;

/** The tensors of a model whose bytes are in other files. */
export function externalTensors(model: ModelProto): TensorProto[] {
  return [...allTensors(model)].filter((tensor) => tensor.dataLocation === EXTERNAL);
}

/**
 * Reads the bytes of every external tensor into `rawData`; the tensors stay marked as external, so
 * that writing the model puts them into a file of their own again.
 * @param path the model's path: only files in its folder or below are opened
 * @param limit bytes to read at most, in total
 * @throws `EXTERNAL_DATA_OUTSIDE`, `EXTERNAL_DATA_MISSING`, `MODEL_INVALID`, `MODEL_TOO_LARGE`
 */
export async function loadExternalData(
  model: ModelProto,
  path: string,
  limit: number,
): Promise<void> {
  const folder = await realpath(dirname(path));
  const handles = new Map<string, FileHandle>();
  let remaining = limit;
  try {
    for (const tensor of externalTensors(model)) {
      const { location, offset, length } = reference(tensor, path);
      let handle = handles.get(location);
      if (!handle) {
        handle = await openInside(folder, location, path);
        handles.set(location, handle);
      }
      const { size } = await handle.stat();
      const count = length ?? size - offset;
      if (count < 0 || offset + count > size) {
        throw new AntidoteError(
          "EXTERNAL_DATA_MISSING",
          `The tensor "${tensor.name}" needs bytes ${offset} to ${offset + count} of "${location}", which has only ${size}.`,
          { place: path, next: "Copy the model and its data files again; they belong together." },
        );
      }
      remaining -= count;
      if (remaining < 0) {
        throw new AntidoteError("MODEL_TOO_LARGE", "The model's external data is too large.", {
          place: path,
          next: `Antidote reads at most ${Math.floor(limit / 1e9)} GB.`,
        });
      }
      tensor.rawData = await readAt(handle, offset, count);
    }
  } finally {
    await Promise.all(Array.from(handles.values(), (handle) => handle.close()));
  }
}

/**
 * Gives every external tensor a new place, one after the other, in the file called `location`, and
 * takes their bytes out of the model.
 * @returns what to write, piece by piece, with its offset
 */
export function detachExternalData(
  model: ModelProto,
  location: string,
): { readonly offset: number; readonly bytes: Uint8Array }[] {
  let end = 0;
  return externalTensors(model).map((tensor) => {
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    const bytes = tensor.rawData;
    end = offset + bytes.length;
    const entries = { location, offset: String(offset), length: String(bytes.length) };
    tensor.externalData = Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    );
    tensor.rawData = new Uint8Array();
    return { offset, bytes };
  });
}

function reference(tensor: TensorProto, path: string) {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const offset = Number(entries.get("offset") ?? 0);
  const length = entries.has("length") ? Number(entries.get("length")) : undefined;
  const valid = (count: number) => Number.isSafeInteger(count) && count >= 0;
  if (location === "" || !valid(offset) || (length !== undefined && !valid(length))) {
    throw new AntidoteError(
      "MODEL_INVALID",
      `The tensor "${tensor.name}" says wrongly where its data is (location "${location}").`,
      { place: path, next: "Export the model again." },
    );
  }
  return { location, offset, length };
}

/** Opens a data file after checking, links resolved, that it lies in the model's folder. */
async function openInside(folder: string, location: string, path: string): Promise<FileHandle> {
  try {
    const real = await realPathInside(folder, location);
    if (real === undefined) throw outside(location, path);
    return await openFile(real);
  } catch (cause) {
    if (cause instanceof AntidoteError) throw cause;
    throw new AntidoteError(
      "EXTERNAL_DATA_MISSING",
      `The model keeps weights in "${location}", which cannot be read.`,
      { place: path, next: `Put "${location}" into the folder of the model.`, cause },
    );
  }
}

function outside(location: string, path: string): AntidoteError {
  return new AntidoteError(
    "EXTERNAL_DATA_OUTSIDE",
    `The model asks to read "${location}", which is outside its own folder.`,
    {
      place: path,
      next: "If you trust the model, copy its data (the file itself, not a link to it) into its folder, or export it again.",
    },
  );
}
