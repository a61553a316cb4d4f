import { type FileHandle, open, stat } from "node:fs/promises";

/** `count` bytes of a file from `offset`; fewer if the file ends before. */
export async function readAt(
  file: FileHandle,
  offset: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  let filled = 0;
  while (filled < count) {
    const { bytesRead } = await file.read(bytes, filled, count - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/**
 * Opens a file, and nothing else that a path may name: opening a named pipe would wait for ever.
 * @throws what the system throws; an `Error` if it is no file
 */
export async function openFile(path: string): Promise<FileHandle> {
  if (!(await stat(path)).isFile()) throw new Error("it is not a file");
  return await open(path);
}
