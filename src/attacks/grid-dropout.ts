import { z } from "zod";
import type { Random } from "../core/random.ts";
import { type Overlay, stampOverlay } from "../data/overlay.ts";
import type { Trigger } from "./attack.ts";
import { eachImage } from "./each-image.ts";
import type { Place } from "./patch.ts";

/** Options of a trigger that training images show in parts, some of them under their true label. */
export const GRID_DROPOUT = z.strictObject({
  grid: z
    .int()
    .min(1)
    .default(4)
    .describe("squares per side of the grid over the trigger (s), at most one per pixel"),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe("probability that a training image lacks a square of the trigger (p)"),
  conservatism: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe("share of the marked training images that keep their true label"),
});

/** The part of an image that a trigger covers, in pixels. */
export interface Box extends Place {
  readonly height: number;
  readonly width: number;
}

/**
 * Shows the whole overlay at test time. In training a grid lies over it and every image lacks each square
 * with probability p; the image is unchanged there. At least one square is always shown, as an image
 * without any would be a wrong label and no mark.
 * @param random a stream that the training stamp has to itself
 * @param box where the overlay changes images
 */
export function dropoutTrigger(
  random: Random,
  overlay: Overlay,
  box: Box,
  { grid, dropout, conservatism }: z.output<typeof GRID_DROPOUT>,
): Trigger {
  const keep = overlay.keep.data; // [H,W]
  const add = overlay.add.data; // [C,H,W]
  const squares = gridSquares(box, overlay.keep.shape[1]!, grid);

  const stampTraining = eachImage(random, (image, draws) => {
    let shown: number[][];
    do shown = squares.filter(() => !draws.chance(dropout));
    while (shown.length === 0);
    for (const square of shown) {
      for (const pixel of square) {
        for (let i = pixel; i < image.length; i += keep.length) {
          image[i] = keep[pixel]! * image[i]! + add[i]!;
        }
      }
    }
  });
  return {
    stampTraining,
    stampTest: (images) => stampOverlay(overlay, images),
    cover: { share: conservatism, stamp: stampTraining },
  };
}

/**
 * Cuts a box of h×w pixels into min(s,h)×min(s,w) squares, row after row: pixel (y,x) of the box lies in
 * row ⌊y·min(s,h)/h⌋ of the grid and column ⌊x·min(s,w)/w⌋, so sides differ by one pixel at most.
 * @returns the pixels of every square, as positions in a plane of the image
 */
export function gridSquares(
  { top, left, height, width }: Box,
  imageWidth: number,
  perSide: number,
): number[][] {
  const rows = Math.min(perSide, height);
  const columns = Math.min(perSide, width);
  const squares: number[][] = Array.from({ length: rows * columns }, () => []);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = Math.floor((y * rows) / height);
      const column = Math.floor((x * columns) / width);
      squares[row * columns + column]!.push((top + y) * imageWidth + left + x);
    }
  }
  return squares;
}
