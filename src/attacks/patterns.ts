/** A grey picture by coordinates in [0,1)², x to the right and y down; 0 is black, 1 white. */
type Picture = (x: number, y: number) => 0 | 1;

const inDisc = (x: number, y: number, cx: number, cy: number, radius: number) =>
  (x - cx) ** 2 + (y - cy) ** 2 <= radius ** 2;

/** An apple in black: two round halves that leave a dip at the top, a stem and a leaf. */
const apple: Picture = (x, y) => {
  const body = inDisc(x, y, 0.36, 0.61, 0.29) || inDisc(x, y, 0.64, 0.61, 0.29);
  const stem = Math.abs(x - 0.5 - 0.3 * (0.35 - y)) < 0.04 && y > 0.1 && y < 0.45;
  const leaf = inDisc(x, y, 0.62, 0.3, 0.16) && inDisc(x, y, 0.74, 0.1, 0.16);
  return body || stem || leaf ? 0 : 1;
};

/** Points per side at which a pixel of the apple is sampled. */
const SAMPLES = 8;

/** Averages a picture over the area of every pixel. */
function rasterise(picture: Picture, size: number): Float32Array {
  const side = size * SAMPLES;
  const pixels = new Float32Array(size * size); // [h,w]
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = Math.floor(y / SAMPLES) * size + Math.floor(x / SAMPLES);
      pixels[at]! += picture((x + 0.5) / side, (y + 0.5) / side) / SAMPLES ** 2;
    }
  }
  return pixels;
}

/** The patches that attacks can use, by name: `size` → grey values [size,size] in [0,1]. */
export const PATTERNS = {
  /** A black apple on white. */
  apple: (size: number) => rasterise(apple, size),
  /** Single white and black pixels in turn, the corners white. */
  checker: (size: number) =>
    Float32Array.from({ length: size * size }, (_, at) =>
      (Math.floor(at / size) + (at % size)) % 2 === 0 ? 1 : 0,
    ),
  white: (size: number) => new Float32Array(size * size).fill(1),
} as const;
