import { readSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AntidoteError, invariant } from "../core/errors.ts";
import { besides, notWritable, writeWhole } from "../core/write-file.ts";

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
 * temporary files. The file has no name, so it is gone with the process, however that ends.
 * @throws `OUTPUT_NOT_WRITABLE` if the file cannot be made or there is no room for it, and the errors of `fill`
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
  const orAdvice = <T>(work: Promise<T>) =>
    work.catch((cause: unknown) => {
      throw notHeld(length, cause);
    });
  const file = await orAdvice(namelessFile());
  try {
    await orAdvice(file.truncate(length));
    await fill((bytes, at) => orAdvice(writeWhole(file, bytes, at)));
  } catch (error) {
    await file.close();
    throw error;
  }
  return new FilePixels(file, length);
}

/** A file to write and read that has lost its name already. */
async function namelessFile(): Promise<FileHandle> {
  const path = besides(join(tmpdir(), "antidote-pixels"));
  const file = await open(path, "wx+", 0o600);
  await rm(path); // What is open stays.
  return file;
}

/** Closes the files of pixels that nobody can ask for any more. */
const abandoned = new FinalizationRegistry<FileHandle>((file) => void file.close());

class FilePixels implements Pixels {
  readonly length: number;
  readonly #file: FileHandle;

  constructor(file: FileHandle, length: number) {
    this.#file = file;
    this.length = length;
    abandoned.register(this, file);
  }

  subarray(begin: number, end: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(end, this.length) - begin));
    const read = readSync(this.#file.fd, bytes, 0, bytes.length, begin);
    invariant(read === bytes.length, "the file of pixels is shorter than it was");
    return bytes;
  }
}

function notHeld(length: number, cause: unknown): AntidoteError {
  const { message } = notWritable(tmpdir(), cause);
  const needed = `${(length / 2 ** 30).toFixed(1)} GiB`;
  return new AntidoteError(
    "OUTPUT_NOT_WRITABLE",
    `${message} It was to hold ${needed} of pixels.`,
    {
      place: tmpdir(),
      next: "Make room there, name another folder in the environment variable TMPDIR, or give fewer images.",
      cause,
    },
  );
}
