import { open, rename, rm } from "node:fs/promises";
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
  const temporary = `${resolve(path)}.${process.pid}.part`;
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
    await rm(temporary, { force: true });
    const full = (cause as NodeJS.ErrnoException).code === "ENOSPC";
    throw new AntidoteError(
      "OUTPUT_NOT_WRITABLE",
      full ? "The disk is full." : `The file cannot be written: ${(cause as Error).message}.`,
      {
        place: path,
        next: full ? "Free some space, or write elsewhere." : "Choose a folder you may write to.",
        cause,
      },
    );
  }
}
