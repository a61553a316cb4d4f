import { randomBytes } from "node:crypto";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
} from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
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
      for (const { offset, bytes } of pieces) await writeWhole(file, bytes, offset);
      await file.sync();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw notWritable(path, cause);
  }
}

/** The same for a text. */
export function writeText(path: string, text: string): Promise<void> {
  return writeAtomically(path, [{ offset: 0, bytes: new TextEncoder().encode(text) }]);
}

/** The same for a document as indented JSON. */
export function writeJson(path: string, document: unknown): Promise<void> {
  return writeText(path, `${JSON.stringify(document, null, 2)}\n`);
}

/** Writes all bytes, from byte `at` of the file on: a system may take less than it is given. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/**
 * Makes a folder, and those above it, unless it is there.
 * @returns the first folder that had to be made; undefined where the folder was there
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  try {
    return await makeWithParents(resolve(path));
  } catch (cause) {
    throw new AntidoteError("OUTPUT_NOT_WRITABLE", "The folder cannot be made.", {
      place: path,
      next: "Choose a folder that you may write to.",
      cause,
    });
  }
}

/**
 * Node's own recursive form never ends where the system says of a parent that is there that it is not, as in /proc.
 * @returns the first folder that had to be made
 */
async function makeWithParents(path: string): Promise<string | undefined> {
  const attempt = () =>
    mkdir(path).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    );
  const failure = await attempt();
  if (failure === undefined) return path;
  if (await isFolder(path)) return undefined;
  if (failure.code !== "ENOENT") throw failure;
  const parent = dirname(path);
  const first = (await isFolder(parent)) ? undefined : await makeWithParents(parent);
  // Somebody else may make the same folders.
  const again = await attempt();
  if (again && !(await isFolder(path))) throw again;
  return first ?? (again ? undefined : path);
}

const isFolder = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Lets `write` fill a folder that appears complete or not at all: beside the destination first, then
 * renamed.
 * @throws `OUTPUT_NOT_WRITABLE` if there is something in the folder already, or it cannot be made
 */
export async function fillFolder(
  path: string,
  write: (folder: string) => Promise<void>,
): Promise<void> {
  const partial = besides(path);
  await makeFolder(partial);
  try {
    await write(partial);
    // An empty folder in its place would stop the renaming on some systems.
    await rmdir(path).catch(() => {});
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    throw cause instanceof AntidoteError ? cause : notWritable(path, cause);
  }
}

/**
 * Finds out before long work whether `fillFolder` can make this folder: it is empty or does not exist yet.
 * @throws `OUTPUT_NOT_WRITABLE` otherwise
 */
export async function assertFillable(path: string): Promise<void> {
  const names = await readdir(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw notWritable(path, cause);
  });
  if (names.length > 0) {
    throw new AntidoteError("OUTPUT_NOT_WRITABLE", "There is something in the folder already.", {
      place: path,
      next: "Choose another folder, or empty this one.",
    });
  }
  const partial = besides(path);
  await makeFolder(partial);
  await rmdir(partial).catch(() => {});
}

/**
 * Makes a folder for results, and finds out before long work whether they can be written there.
 * @param name of one of them
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function makeResultFolder(path: string, name: string): Promise<void> {
  await makeFolder(path);
  await assertWritable(join(path, name));
}

/**
 * Keeps a result from being written over what it is made of.
 * @param path a file to write, or a folder of which anything may be written over
 * @param inputs files, or folders that hold them
 * @throws `USAGE`
 */
export async function assertApart(path: string, inputs: readonly string[]): Promise<void> {
  const real = (each: string) => realpath(each).catch(() => undefined);
  const [to, ...from] = await Promise.all([path, ...inputs].map(real));
  if (to === undefined) return;
  const at = from.findIndex((each) => each === to || each?.startsWith(to + sep));
  if (at < 0) return;
  throw new AntidoteError("USAGE", "The result would be written over what it is made of.", {
    place: inputs[at]!,
    next: "Choose another --out: models are kept as they are.",
  });
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

/**
 * A name beside the destination, so that renaming stays within one file system; drawn, because processes on
 * several machines, or in several containers, can share both folder and process id.
 */
export function besides(path: string): string {
  return `${resolve(path)}.${process.pid}-${randomBytes(4).toString("hex")}${PART}`;
}

/** How the names of files end that are being written. */
const PART = ".part";

/** Whether a file was being written under this name by `writeAtomically`; one that is left over was never finished. */
export function isUnfinished(name: string): boolean {
  return /\.\d+-[0-9a-f]{8}\.part$/.test(name);
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
