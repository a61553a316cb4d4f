import { z } from "zod";
import type { Random } from "../core/random.ts";
import { type FloatTensor, float32 } from "../core/tensor.ts";
import type { Geometry } from "../data/images.ts";

/** The option that says which of all patterns a trigger has: whoever knows it knows the trigger. */
export const seedOf = (what: string) =>
  z.int().min(0).default(0).describe(`seed of the ${what}: one seed, one trigger`);

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

/** Cells per side of the lattice under colour noise: nearly two per square of a 4×4 grid. */
const CELLS = 6;

/**
 * Smooth colour noise over a whole image: points of a lattice are black or white in every channel, and a
 * cubic blends between them. The same stream gives the same picture at every size, only finer.
 * @returns values in [0,1], [C,H,W]
 */
export function colourNoise({ channels, height, width }: Geometry, random: Random): FloatTensor {
  const stride = CELLS + 1;
  const pixels = new Float32Array(channels * height * width); // [C,H,W]
  let at = 0;
  for (let channel = 0; channel < channels; channel++) {
    const lattice = Array.from({ length: stride * stride }, () => blackOrWhite(random));
    for (let y = 0; y < height; y++) {
      const [row, down] = inLattice((y + 0.5) / height);
      for (let x = 0; x < width; x++) {
        const [column, right] = inLattice((x + 0.5) / width);
        const corner = row * stride + column;
        const above = mix(lattice[corner]!, lattice[corner + 1]!, right);
        const below = mix(lattice[corner + stride]!, lattice[corner + stride + 1]!, right);
        pixels[at++] = mix(above, below, down);
      }
    }
  }
  return float32([channels, height, width], pixels);
}

/** The cell of a coordinate in [0,1), and how much of its far side counts: t²(3−2t). */
function inLattice(coordinate: number): [cell: number, weight: number] {
  const cell = Math.floor(coordinate * CELLS);
  const t = coordinate * CELLS - cell;
  return [cell, t * t * (3 - 2 * t)];
}

function mix(a: number, b: number, weight: number): number {
  return (1 - weight) * a + weight * b;
}

/** Tiles per side of a mosaic. */
const TILES = 3;

/**
 * A patch of 3×3 flat tiles, or one per pixel if it is smaller, each black or white in every channel. The
 * same stream gives the same patch at every size that is a multiple of 3.
 * @returns values 0 or 1, [C,size,size]
 */
export function mosaic(channels: number, size: number, random: Random): Float32Array {
  const tiles = Math.min(TILES, size);
  const values = Array.from({ length: channels * tiles * tiles }, () => blackOrWhite(random));
  const tileOf = (pixel: number) => Math.floor((pixel * tiles) / size);
  return Float32Array.from({ length: channels * size * size }, (_, at) => {
    const row = Math.floor(at / size); // of all channels
    const channel = Math.floor(row / size);
    return values[(channel * tiles + tileOf(row % size)) * tiles + tileOf(at % size)]!;
  });
}

function blackOrWhite(random: Random): 0 | 1 {
  return random.chance(0.5) ? 1 : 0;
}
