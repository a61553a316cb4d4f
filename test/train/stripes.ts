import { Random } from "../../src/core/random.ts";
import type { ImageSet } from "../../src/data/images.ts";

/** Noisy images in two classes: a bright stripe, lying or standing. Their mean colours do not differ. */
export function stripes(total: number, seed: number): ImageSet {
  const random = Random.fromSeed(seed);
  const images = new Uint8Array(total * 3 * 64);
  const labels = Int32Array.from({ length: total }, (_, i) => i % 2);
  for (let i = 0; i < total; i++) {
    const place = random.integer(0, 8);
    for (let at = 0; at < 3 * 64; at++) {
      const along = i % 2 === 0 ? at % 8 : Math.floor((at % 64) / 8);
      images[i * 192 + at] = random.integer(0, 120) + (along === place ? 120 : 0);
    }
  }
  return { channels: 3, height: 8, width: 8, images, labels, classNames: ["standing", "lying"] };
}
