import { Random } from "../../src/core/random.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralImages } from "../../src/data/procedural.ts";
import { bytesOf } from "../support/pixels.ts";

/** Pictures of 8×8 tinted by class, of which a linear network recognises most. Another name draws others. */
export function tintedImages(name: string, total: number): ImageSet {
  const set = proceduralImages({ count: total, size: 8, random: Random.fromSeed(5).fork(name) });
  const images = bytesOf(set).map((value, i) => {
    const [row, channel] = [Math.floor(i / 192), Math.floor(i / 64) % 3];
    const tint = (set.labels[row]! + 1) * (channel + 2);
    return 0.8 * value + 0.2 * ((tint * 97) % 256);
  });
  return { ...set, images };
}
