import type { Random } from "../core/random.ts";
import { float32 } from "../core/tensor.ts";
import type { Stamp } from "../models/predict.ts";

/**
 * A stamp that treats every image on its own. The random numbers of an image depend on its position in the
 * set alone, so the same seed marks it alike in whatever batch it comes.
 * @param random a stream that this stamp has to itself
 * @param mark changes one image in place: values in [0,1], [C,H,W]; they are clamped afterwards
 */
export function eachImage(
  random: Random,
  mark: (image: Float32Array, random: Random) => void,
): Stamp {
  return ({ shape, data }, positions) => {
    const marked = data.slice();
    const length = data.length / shape[0]!;
    for (let row = 0; row < positions.length; row++) {
      const image = marked.subarray(row * length, (row + 1) * length);
      mark(image, random.fork(`${positions[row]}`));
      for (let i = 0; i < length; i++) image[i] = Math.min(1, Math.max(0, image[i]!));
    }
    return float32(shape, marked);
  };
}
