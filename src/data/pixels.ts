import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { mkdtemp, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AntidoteError, invariant } from "../core/errors.ts";

/** Bytes of images, one image after the other. An array of bytes is one; others read or gather what they are asked for. */
export interface Pixels {
  readonly length: number;
  /** The bytes from `begin` to before `end`; not to be written to. */
  subarray(begin: number, end: number): Uint8Array;
}

/** Bytes up to which the pixels of a set are held in memory: 7000 images of 224×224. */
export const IN_MEMORY = 2 ** 30;

/**
 * Images of one length, in memory if they are few enough, else gathered whenever they are asked for.
 * @param at the bytes of image `row`
 */
export function gathered(
  rows: number,
  length: number,
  at: (row: number) => Uint8Array,
  inMemory = IN_MEMORY,
): Pixels {
  if (rows * length > inMemory) return new GatheredPixels(rows, length, at);
  const bytes = new Uint8Array(rows * length);
  for (let row = 0; row < rows; row++) bytes.set(at(row), row * length);
  return bytes;
}

class GatheredPixels implements Pixels {
  readonly length: number;
  readonly #each: number;
  readonly #at: (row: number) => Uint8Array;

  constructor(rows: number, each: number, at: (row: number) => Uint8Array) {
    this.length = rows * each;
    this.#each = each;
    this.#at = at;
  }

  subarray(begin: number, end: number): Uint8Array {
    const last = Math.min(end, this.length);
    const bytes = new Uint8Array(Math.max(0, last - begin));
    for (let from = begin; from < last; ) {
      const row = Math.floor(from / this.#each);
      const start = row * this.#each;
      const until = Math.min(last, start + this.#each);
      bytes.set(this.#at(row).subarray(from - start, until - start), from - begin);
      from = until;
    }
    return bytes;
  }
}

/** Writes some of the pixels, from byte `at` on. */
export type WritePixels = (bytes: Uint8Array, at: number) => Promise<void>;

/**
 * Pixels as somebody writes them, in any order: in memory if they are few enough, else in a file in the system's folder for
 * temporary files. The file has no name any more, so it is gone with the process, however that ends.
 * @throws `OUTPUT_NOT_WRITABLE` if there is no room for the file, and the errors of `fill`
 */
export async function writtenPixels(
  length: number,
  fill: (write: WritePixels) => Promise<void>,
  inMemory = IN_MEMORY,
): Promise<Pixels> {
  if (length > inMemory) return await inFile(length, fill);
  const bytes = new Uint8Array(length);
  await fill(async (part, at) => bytes.set(part, at));
  return bytes;
}

async function inFile(
  length: number,
  fill: (write: WritePixels) => Promise<void>,
): Promise<Pixels> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-pixels-"));
  try {
    const path = join(folder, "pixels");
    const file = await open(path, "w");
    try {
      await file.truncate(length);
      await fill(async (bytes, at) => {
        // A system may take less than it is given; where nothing fits any more, the next write fails.
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
          done += bytesWritten;
        }
      });
    } finally {
      await file.close();
    }
    return new FilePixels(openSync(path, "r"), length);
  } catch (cause) {
    throw isFull(cause) ? noRoom(length, cause) : cause;
  } finally {
    // What is open stays readable.
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Closes the files of pixels that nobody can ask for any more. */
const abandoned = new FinalizationRegistry<number>((file) => closeSync(file));

class FilePixels implements Pixels {
  readonly length: number;
  readonly #file: number;

  constructor(file: number, length: number) {
    this.#file = file;
    this.length = length;
    abandoned.register(this, file);
  }

  subarray(begin: number, end: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(end, this.length) - begin));
    const read = readSync(this.#file, bytes, 0, bytes.length, begin);
    invariant(read === bytes.length, "the file of pixels is shorter than it was");
    return bytes;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}

function noRoom(length: number, cause: unknown): AntidoteError {
  const needed = `${(length / 2 ** 30).toFixed(1)} GiB`;
  return new AntidoteError("OUTPUT_NOT_WRITABLE", `There is no room for ${needed} of pixels.`, {
    place: tmpdir(),
    next: "Make room there, name another folder in the environment variable TMPDIR, or give fewer images.",
    cause,
  });
}
