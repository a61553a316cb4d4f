import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { ResultStore } from "../../experiments/grid/store.ts";
import type { Reproduced } from "../../experiments/reproduce/artefact.ts";
import type { Pictures } from "../pictures.ts";

/** Records may be anyone's: no other path within a store is read. */
const TRIGGER = /^triggers[\\/][0-9a-f]{1,64}\.png$/;
/** Largest file that is read, in bytes. */
const LARGEST = 8_000_000;
/** Side down to which larger pictures are brought, in pixels. */
const SIDE = 128;

/** Pictures of a store by their paths, decoded and written anew; what is missing or no picture is left out. */
export async function readPictures(
  { folder }: Pick<ResultStore, "folder">,
  paths: readonly string[],
): Promise<Pictures> {
  const pictures = new Map<string, Uint8Array>();
  for (const path of paths) {
    const png = TRIGGER.test(path) ? await readPng(join(folder, path)) : undefined;
    if (png) pictures.set(path, png);
  }
  return pictures;
}

async function readPng(path: string): Promise<Uint8Array | undefined> {
  try {
    if ((await stat(path)).size > LARGEST) return undefined;
    const picture = sharp(await readFile(path), { failOn: "error", limitInputPixels: 1 << 24 });
    const size = { width: SIDE, height: SIDE, fit: "inside", withoutEnlargement: true } as const;
    return await picture.resize(size).png().toBuffer();
  } catch {
    return undefined;
  }
}

/** The paths of all pictures that a table or figure shows. */
export function picturesOf(reproduced: Reproduced): string[] {
  if (reproduced.kind === "table") return [];
  return reproduced.panels.flatMap((panel) =>
    panel.kind === "pictures" ? panel.pictures.map(({ path }) => path) : [],
  );
}
