import { type FileHandle, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import { realPathInside } from "../core/inside.ts";
import {
  headerLength,
  parseHeader,
  repeatedKey,
  type SafetensorsHeader,
  type StoredTensor,
} from "../core/safetensors.ts";
import { fromBytes, type Tensor } from "../core/tensor.ts";
import { refusedFormat, SIGNATURE_BYTES } from "../onnx/foreign.ts";
import { openFile, readAt } from "../onnx/read.ts";

/** Bytes of an index at most. */
const MAX_INDEX_BYTES = 16 * 2 ** 20;

/** What weights may take in all, as for ONNX files. */
const MAX_BYTES = 4 * 2 ** 30;

const INDEX = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

const AGAIN = "Fetch or save the file again.";

/** Whether a path is that of weights in the safetensors format: a file, or the index of several. */
export function isWeights(path: string): boolean {
  return /\.safetensors(\.index\.json)?$/i.test(path);
}

/** Named tensors in one file or several, of which only the headers have been read. */
export class WeightsFile implements AsyncDisposable {
  /** What was given. */
  readonly path: string;
  /** All files that belong to it, `path` first. */
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly #handles: readonly FileHandle[];
  readonly #handleOf: ReadonlyMap<string, FileHandle>;

  private constructor(path: string, parts: readonly Part[], isIndex: boolean) {
    this.path = path;
    this.files = isIndex ? [path, ...parts.map(({ file }) => file)] : [path];
    this.metadata = parts[0]?.header.metadata ?? {};
    this.tensors = new Map(parts.flatMap(({ header }) => [...header.entries]));
    this.#handles = parts.map(({ handle }) => handle);
    this.#handleOf = new Map(
      parts.flatMap(({ header, handle }) =>
        [...header.entries.keys()].map((name) => [name, handle] as const),
      ),
    );
  }

  /**
   * Opens `*.safetensors`, or the files that `*.safetensors.index.json` names; those must lie in its folder.
   * @throws `MODEL_NOT_FOUND`, `MODEL_INVALID`, `MODEL_TOO_LARGE`, `EXTERNAL_DATA_OUTSIDE`, `EXTERNAL_DATA_MISSING`
   */
  static async open(path: string): Promise<WeightsFile> {
    const isIndex = path.endsWith(".json");
    const parts: Part[] = [];
    try {
      if (isIndex) await openShards(path, parts);
      else parts.push(await openPart(path, path));
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      if (bytes > MAX_BYTES) {
        const size = `${(bytes / 1e9).toFixed(1)} GB`;
        throw new AntidoteError("MODEL_TOO_LARGE", `The weights have ${size}.`, {
          place: path,
          next: `Use a smaller model: at most ${(MAX_BYTES / 1e9).toFixed(1)} GB are read.`,
        });
      }
      return new WeightsFile(path, parts, isIndex);
    } catch (error) {
      await Promise.all(parts.map(({ handle }) => handle.close()));
      throw error;
    }
  }

  /** The values of a tensor, in the type in which they are stored. */
  async read(name: string): Promise<Tensor> {
    const { type, shape, begin, end } = this.tensors.get(name)!;
    const bytes = await readAt(this.#handleOf.get(name)!, begin, end - begin);
    if (bytes.length < end - begin) throw damaged(this.path, `the tensor "${name}" is incomplete`);
    return fromBytes(type, shape, bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close()));
  }
}

/** One open file. */
interface Part {
  readonly file: string;
  readonly bytes: number;
  readonly handle: FileHandle;
  readonly header: SafetensorsHeader;
}

/** @param shownAs path for messages */
async function openPart(file: string, shownAs: string): Promise<Part> {
  let handle: FileHandle;
  let bytes: number;
  try {
    handle = await openFile(file);
    bytes = (await handle.stat()).size;
  } catch (cause) {
    throw new AntidoteError("MODEL_NOT_FOUND", "There is no such file, or it cannot be read.", {
      place: shownAs,
      next: "Check the path of the weights.",
      cause,
    });
  }
  try {
    const length = headerLength(await readAt(handle, 0, 8));
    const header = await readAt(handle, 8, length);
    if (header.length < length) throw new Error("it ends within its header");
    return { file, bytes, handle, header: parseHeader(header, bytes) };
  } catch (cause) {
    // Asked only now: the length in front of a sound header may look like another format's signature.
    const head = await readAt(handle, 0, Math.min(bytes, SIGNATURE_BYTES));
    await handle.close();
    const refused = refusedFormat(head, shownAs, "safetensors");
    if (refused) throw refused;
    throw damaged(shownAs, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Opens the files that an index names; each tensor must be where the index says, and nowhere else. */
async function openShards(path: string, parts: Part[]): Promise<void> {
  const map = await readIndex(path);
  const folder = await realpath(dirname(path));
  const places = new Map<string, string>();
  // All of them before the first is opened.
  for (const shard of new Set(map.values())) places.set(shard, await shardIn(folder, shard, path));
  for (const [shard, file] of places) {
    const part = await openPart(file, join(dirname(path), shard));
    parts.push(part);
    for (const name of part.header.entries.keys()) {
      if (map.get(name) !== shard) {
        throw damaged(path, `"${shard}" holds the tensor "${name}", which the index has elsewhere`);
      }
    }
  }
  const present = new Set(parts.flatMap(({ header }) => [...header.entries.keys()]));
  const missing = [...map.keys()].find((name) => !present.has(name));
  if (missing !== undefined) {
    throw damaged(path, `"${map.get(missing)}" does not hold the tensor "${missing}"`);
  }
}

async function readIndex(path: string): Promise<Map<string, string>> {
  let text: string;
  try {
    await using file = await openFile(path);
    const { size } = await file.stat();
    if (size > MAX_INDEX_BYTES) {
      throw damaged(path, `the index has more than ${MAX_INDEX_BYTES / 2 ** 20} MB`);
    }
    text = new TextDecoder("utf-8", { fatal: true }).decode(await readAt(file, 0, size));
  } catch (cause) {
    if (cause instanceof AntidoteError) throw cause;
    throw new AntidoteError("MODEL_NOT_FOUND", "There is no such file, or it is no text.", {
      place: path,
      next: "Check the path of the index.",
      cause,
    });
  }
  try {
    const { weight_map: map } = INDEX.parse(JSON.parse(text));
    const twice = repeatedKey(text);
    if (twice !== undefined) throw new Error(`it has the key "${twice}" twice`);
    return new Map(Object.entries(map));
  } catch (cause) {
    const isForm = cause instanceof z.ZodError;
    const what = isForm ? "it has no weight_map of names and files" : (cause as Error).message;
    throw damaged(path, what, cause);
  }
}

async function shardIn(folder: string, shard: string, path: string): Promise<string> {
  let real: string | undefined;
  try {
    real = await realPathInside(folder, shard);
  } catch (cause) {
    throw new AntidoteError(
      "EXTERNAL_DATA_MISSING",
      `The index "${basename(path)}" names "${shard}", which is not there.`,
      { place: path, next: `Put "${shard}" into its folder.`, cause },
    );
  }
  if (real !== undefined) return real;
  throw new AntidoteError(
    "EXTERNAL_DATA_OUTSIDE",
    `The index asks to read "${shard}", which is outside its own folder.`,
    {
      place: path,
      next: "If you trust it, copy the files themselves, not links to them, into its folder.",
    },
  );
}

function damaged(place: string, reason: string, cause?: unknown): AntidoteError {
  return new AntidoteError("MODEL_INVALID", `The weights cannot be read: ${reason}.`, {
    place,
    next: AGAIN,
    cause,
  });
}
