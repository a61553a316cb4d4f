import { createHash, type Hash } from "node:crypto";
import type { ImageSet } from "./images.ts";

/** Bytes hashed at a time: pixels that are not in memory are read so much at once. */
const CHUNK = 2 ** 24;

/** Adds pixels and labels of a set to a hash, whatever their size. */
export function hashImages(hash: Hash, { images, labels }: ImageSet): Hash {
  for (let at = 0; at < images.length; at += CHUNK) hash.update(images.subarray(at, at + CHUNK));
  return hash.update(labels);
}

/** SHA-256 of pixels and labels, hexadecimal. */
export function digestOf(set: ImageSet): string {
  return hashImages(createHash("sha256"), set).digest("hex");
}
