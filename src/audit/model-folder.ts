import { open, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { AntidoteError } from "../core/errors.ts";
import { realPathInside } from "../core/inside.ts";
import { isWeights } from "../models/weights-file.ts";
import { checkpointRefused, isCheckpoint } from "../onnx/foreign.ts";
import { readAt } from "../onnx/read.ts";

/** A model as a path names it: a file, or the one to read of a folder. */
export interface FoundModel {
  /** The model file. */
  readonly path: string;
  /** The folder, if that is what was named; what lies beside the model counts only then. */
  readonly folder?: string;
  /** Other files of the folder that hold a model or weights, by their paths in it: nobody looks at them. */
  readonly others: readonly string[];
}

/** What is read of a folder, the first that is there; all are full precision by convention. */
const PREFERRED = ["onnx/model.onnx", "model.onnx"];
const PREFERRED_WEIGHTS = ["model.safetensors", "model.safetensors.index.json"];

const ONNX = /\.onnx$/i;
/** Endings of files with weights, a network or both. */
const WEIGHTS = /\.(onnx|safetensors|bin|pt|pth|ckpt|pkl|h5|keras|msgpack|tflite|ot|gguf)$/i;

/** Class names of ImageNet-21k take three megabytes; nothing that is read beside a model is larger. */
const MAX_BYTES = 16 * 2 ** 20;

/**
 * Finds the model that a path names. Of a folder in the layout of Hugging Face it is `onnx/model.onnx`, else
 * `model.onnx`, else the only ONNX file that there is; without any, `model.safetensors`, its index, or the only such
 * file.
 * @param kind "weights" passes over ONNX files
 * @throws `MODEL_AMBIGUOUS` for several variants (`model_fp16.onnx`, `model_quantized.onnx`) without a main one;
 *   `MODEL_NOT_FOUND` for a folder without a model, `MODEL_NOT_ONNX` for one with a checkpoint alone; `EXTERNAL_DATA_OUTSIDE` for a link out of the folder
 */
export async function findModel(
  path: string,
  kind: "any" | "weights" = "any",
): Promise<FoundModel> {
  const isFolder = await stat(path).then(
    (it) => it.isDirectory(),
    () => false,
  );
  if (!isFolder) return { path, others: [] };
  const files = await filesOf(path);
  const onnx = kind === "weights" ? [] : files.filter((name) => ONNX.test(name));
  const models = onnx.length > 0 ? onnx : files.filter(isWeights);
  const preferred = [...PREFERRED, ...PREFERRED_WEIGHTS].find((name) => models.includes(name));
  const chosen = preferred ?? (models.length === 1 ? models[0] : undefined);
  if (chosen === undefined)
    throw models.length > 1 ? ambiguous(path, models) : none(path, files, kind);
  await insideOf(path, chosen);
  const others = files.filter((name) => WEIGHTS.test(name) && name !== chosen);
  return { path: join(path, chosen), folder: path, others };
}

/** The names in a folder and in its folder `onnx`, in the order of their characters. */
async function filesOf(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    const inside = names.includes("onnx")
      ? await readdir(join(folder, "onnx")).catch(() => []) // a file of that name
      : [];
    return [...names, ...inside.map((name) => `onnx/${name}`)].sort();
  } catch (cause) {
    throw new AntidoteError("MODEL_NOT_FOUND", "The model's folder cannot be read.", {
      place: folder,
      next: "Check its permissions.",
      cause,
    });
  }
}

function ambiguous(folder: string, models: readonly string[]): AntidoteError {
  const named = models.slice(0, 10).join(", ") + (models.length > 10 ? ", …" : "");
  return new AntidoteError(
    "MODEL_AMBIGUOUS",
    `The folder holds ${models.length} models and none is called model.onnx: ${named}.`,
    {
      place: folder,
      next: `Give the file that you want to use, e.g. "${join(folder, models[0]!)}"; each is a model of its own.`,
    },
  );
}

function none(folder: string, files: readonly string[], kind: "any" | "weights"): AntidoteError {
  const checkpoint = files.find((name) => isCheckpoint(name));
  if (checkpoint !== undefined) return checkpointRefused(join(folder, checkpoint));
  if (kind === "weights") {
    return new AntidoteError("MODEL_NOT_FOUND", "The folder holds no safetensors.", {
      place: folder,
      next: "Put model.safetensors into it, or model.safetensors.index.json with its files.",
    });
  }
  return new AntidoteError("MODEL_NOT_FOUND", "The folder holds no ONNX file and no safetensors.", {
    place: folder,
    next: "Put model.onnx into it or into its folder onnx, or give the path of the model itself.",
  });
}

/**
 * The text of a small file beside a model; undefined if there is none of that name.
 * @param folder of the model
 * @throws `EXTERNAL_DATA_OUTSIDE` for a link out of the folder; `DATA_INVALID` for something that is no file or is
 *   too large
 */
export async function readBeside(folder: string, name: string): Promise<string | undefined> {
  const real = await insideOf(folder, name);
  if (real === undefined) return undefined;
  const place = join(folder, name);
  const refused = (what: string) =>
    new AntidoteError("DATA_INVALID", `"${name}" ${what}.`, {
      place,
      next: `Remove it, or give the path of the model itself: nothing beside it is read then.`,
    });
  // Checked before opening: opening a named pipe would wait for ever.
  const { size, isFile } = await stat(real).then((it) => ({ size: it.size, isFile: it.isFile() }));
  if (!isFile) throw refused("is not a file");
  if (size > MAX_BYTES) {
    throw refused(
      `has ${(size / 2 ** 20).toFixed(0)} MB; ${MAX_BYTES / 2 ** 20} MB are read at most`,
    );
  }
  try {
    await using file = await open(real);
    const bytes = await readAt(file, 0, size);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refused("cannot be read as UTF-8 text");
  }
}

/** The other files of a model's folder, without those that turned out to belong to the model. */
export async function othersThan(
  parts: readonly string[] | undefined,
  { folder, others }: FoundModel,
): Promise<string[]> {
  const read = new Set(parts);
  const places = await Promise.all(
    others.map((name) => realpath(join(folder!, name)).catch(() => undefined)),
  );
  return others.filter((_, i) => !read.has(places[i] ?? ""));
}

/** Where a file of a folder really is; undefined if there is none of that name. */
async function insideOf(folder: string, name: string): Promise<string | undefined> {
  let real: string | undefined;
  try {
    real = await realPathInside(await realpath(folder), name);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cause;
  }
  if (real !== undefined) return real;
  throw new AntidoteError("EXTERNAL_DATA_OUTSIDE", `"${name}" leads out of the model's folder.`, {
    place: join(folder, name),
    next: "If you trust the model, put the file itself into its folder in place of the link.",
  });
}
