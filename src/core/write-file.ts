import { open, rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { AntidoteError } from "./errors.ts";

/** Bytes and where they go in the file. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes a file that appears complete or not at all: beside the destination first, then renamed, so
 * that a failure leaves what was there before.
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function writeAtomically(path: string, pieces: readonly Piece[]): Promise<void> {
  const temporary = besides(path);
  try {
    {
      await using file = await open(temporary, "w");
      for (const { offset, bytes } of pieces) {
        let written = 0;
        while (written < bytes.length) {
          const rest = bytes.length - written;
          const result = await file.write(bytes, written, rest, offset + written);
          written += result.bytesWritten;
        }
      }
      await file.sync();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw notWritable(path, cause);
  }
}

/**
 * Finds out before long work whether its result can be written to `path`; leaves nothing there.
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function assertWritable(path: string): Promise<void> {
  const temporary = besides(path);
  try {
    const kind = await stat(path).catch(() => undefined);
    if (kind?.isDirectory()) throw new Error("it is a folder");
    await using _ = await open(temporary, "w");
  } catch (cause) {
    throw notWritable(path, cause);
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

/** A name beside the destination, so that renaming stays within one file system. */
function besides(path: string): string {
  return `${resolve(path)}.${process.pid}.part`;
}

/** Codes that say that there is no space left, on the disk or for this user. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);

/** What to tell when writing to `path` failed because of `cause`. */
export function notWritable(path: string, cause: unknown): AntidoteError {
  const full = FULL.has((cause as NodeJS.ErrnoException).code ?? "");
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AntidoteError(
    "OUTPUT_NOT_WRITABLE",
    full ? "The disk is full." : `Nothing can be written here: ${reason}.`,
    {
      place: path,
      next: full ? "Free some space, or write elsewhere." : "Choose a folder you may write to.",
      cause,
    },
  );
}
