import type { ImageSet } from "../../src/data/images.ts";

/** All bytes of a small set, [N,C,H,W]. */
export function bytesOf({ images }: Pick<ImageSet, "images">): Uint8Array {
  return images.subarray(0, images.length);
}
