import { describe, expect, it } from "vitest";
import { adaptiveBlend } from "../../src/attacks/adaptive-blend.ts";
import { adaptivePatch } from "../../src/attacks/adaptive-patch.ts";
import type { Attack } from "../../src/attacks/attack.ts";
import { badnets } from "../../src/attacks/badnets.ts";
import { gridSquares } from "../../src/attacks/grid-dropout.ts";
import { colourNoise } from "../../src/attacks/patterns.ts";
import { POISONING, poison } from "../../src/attacks/poison.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { type FloatTensor, float32 } from "../../src/core/tensor.ts";
import { ascending, type Geometry, type ImageSet, imageAt } from "../../src/data/images.ts";
import { noDevice } from "./no-device.ts";

const CIFAR = { channels: 3, height: 32, width: 32 };

function makeTrigger(attack: Attack, geometry: Geometry, options: object = {}, seed = 0) {
  const context = { device: noDevice, random: Random.fromSeed(seed), emit: silent };
  return attack.run(context, { geometry, classes: 2, target: 0 }, attack.config.parse(options));
}

/** Images [B,C,H,W] of values in [0.1,0.9], so that black and white both change them. */
function noise(batch: number, { channels, height, width }: Geometry): FloatTensor {
  const random = Random.fromSeed(7);
  const length = batch * channels * height * width;
  const data = Float32Array.from({ length }, () => random.uniform(0.1, 0.9));
  return float32([batch, channels, height, width], data);
}

/** The same image [C,H,W] `batch` times. */
function repeated(batch: number, geometry: Geometry): FloatTensor {
  const { data } = noise(1, geometry);
  const all = new Float32Array(batch * data.length);
  for (let row = 0; row < batch; row++) all.set(data, row * data.length);
  return float32([batch, geometry.channels, geometry.height, geometry.width], all);
}

/** Where two arrays first differ, −1 nowhere: quick for large ones. */
function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function rowOf({ shape, data }: FloatTensor, row: number): Float32Array {
  const length = data.length / shape[0]!;
  return data.slice(row * length, (row + 1) * length);
}

describe("gridSquares", () => {
  it("divides sides as evenly as pixels allow, with at most one square per pixel", () => {
    const widthsOf = (side: number) =>
      gridSquares({ top: 0, left: 0, height: 1, width: side }, side, 4).map((at) => at.length);
    expect(widthsOf(2)).toEqual([1, 1]);
    expect(widthsOf(3)).toEqual([1, 1, 1]);
    expect(widthsOf(4)).toEqual([1, 1, 1, 1]);
    expect(widthsOf(6)).toEqual([2, 1, 2, 1]);
    expect(widthsOf(21)).toEqual([6, 5, 5, 5]);
    expect(widthsOf(32)).toEqual([8, 8, 8, 8]);
  });

  it("puts pixel (y,x) of the box into square (⌊4y/h⌋,⌊4x/w⌋), each pixel into one", () => {
    const box = { top: 2, left: 3, height: 5, width: 7 };
    const squares = gridSquares(box, 20, 4);
    expect(squares).toHaveLength(16);
    expect(squares.flat()).toHaveLength(5 * 7);
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 7; x++) {
        const square = squares[4 * Math.floor((4 * y) / 5) + Math.floor((4 * x) / 7)]!;
        expect(square).toContain((2 + y) * 20 + 3 + x);
      }
    }
    // Rows of 2, 1, 1 and 1 pixels, columns of 2, 2, 2 and 1.
    expect(squares[0]).toEqual([43, 44, 63, 64]);
    expect(squares[15]).toEqual([129]);
  });
});

/** The area that each attack's trigger covers in images of this size, by its defaults. */
const BOXES: [Attack, (geometry: Geometry) => { height: number; width: number }][] = [
  [
    adaptivePatch,
    ({ width }) => {
      const side = Math.floor((3 * width) / 32);
      return { height: side, width: side };
    },
  ],
  [adaptiveBlend, (geometry) => geometry],
];

describe.each(BOXES.map(([attack, box]) => [attack.name, attack, box] as const))(
  "%s",
  (_, attack, boxOf) => {
    const squaresOf = (geometry: Geometry) =>
      gridSquares({ top: 0, left: 0, ...boxOf(geometry) }, geometry.width, 4);

    /** Which squares of a marked image are shown; fails where one is neither whole nor unchanged. */
    function shownSquares(
      before: Float32Array,
      after: Float32Array,
      full: Float32Array,
      geometry: Geometry,
    ): boolean[] {
      const area = geometry.height * geometry.width;
      const expected = before.slice();
      const shown = squaresOf(geometry).map((square) => {
        const isShown = square.some((pixel) => after[pixel] !== before[pixel]);
        for (const pixel of isShown ? square : []) {
          for (let i = pixel; i < before.length; i += area) expected[i] = full[i]!;
        }
        return isShown;
      });
      expect(firstDifference(after, expected)).toBe(-1);
      return shown;
    }

    it.each([
      CIFAR,
      { channels: 1, height: 28, width: 28 },
      { channels: 3, height: 30, width: 45 },
      { channels: 4, height: 224, width: 224 },
    ])(
      "shows whole squares of the full trigger and leaves the rest as it was: $channels×$height×$width",
      async (geometry) => {
        const trigger = await makeTrigger(attack, geometry);
        const images = noise(4, geometry);
        const before = images.data.slice();
        const training = await trigger.stampTraining(images, ascending(4));
        const test = await trigger.stampTest(images, ascending(4));
        expect(firstDifference(images.data, before)).toBe(-1);
        expect(training.shape).toEqual(images.shape);
        for (const { data } of [training, test]) {
          expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
        }
        for (let row = 0; row < 4; row++) {
          const [x, part, full] = [rowOf(images, row), rowOf(training, row), rowOf(test, row)];
          expect(shownSquares(x, part, full, geometry).some((isShown) => isShown)).toBe(true);
        }
      },
    );

    it("drops every square with probability p, on its own", async () => {
      const batch = 1500;
      const images = repeated(batch, CIFAR);
      for (const dropout of [0.5, 0.2]) {
        const trigger = await makeTrigger(attack, CIFAR, { dropout });
        const training = await trigger.stampTraining(images, ascending(batch));
        const full = rowOf(await trigger.stampTest(images, ascending(batch)), 0);
        const squares = squaresOf(CIFAR);
        const dropped = squares.map(() => 0);
        let firstTwo = 0;
        for (let row = 0; row < batch; row++) {
          const shown = shownSquares(rowOf(images, row), rowOf(training, row), full, CIFAR);
          shown.forEach((isShown, square) => {
            if (!isShown) dropped[square]!++;
          });
          if (!shown[0] && !shown[1]) firstTwo++;
        }
        // Four standard deviations of a share: of one square 4·√(¼/1500) = 0.052, of all a third.
        for (const times of dropped) expect(Math.abs(times / batch - dropout)).toBeLessThan(0.052);
        const all = dropped.reduce((sum, times) => sum + times) / (batch * squares.length);
        expect(Math.abs(all - dropout)).toBeLessThan(0.018);
        expect(Math.abs(firstTwo / batch - dropout ** 2)).toBeLessThan(0.052);
      }
    });

    it("shows at least one square, and all of them without dropout", async () => {
      const images = noise(20, CIFAR);
      for (const options of [{ grid: 1, dropout: 0.9 }, { dropout: 0 }]) {
        const trigger = await makeTrigger(attack, CIFAR, options);
        const full = await trigger.stampTest(images, ascending(20));
        const training = await trigger.stampTraining(images, ascending(20));
        expect(firstDifference(training.data, full.data)).toBe(-1);
      }
    });

    it("marks an image by its position and the seed, in whatever batch it comes", async () => {
      const images = repeated(6, CIFAR);
      const { stampTraining } = await makeTrigger(attack, CIFAR);
      const all = await stampTraining(images, [10, 11, 12, 13, 14, 15]);
      const some = await stampTraining(repeated(2, CIFAR), [14, 11]);
      expect(rowOf(some, 0)).toEqual(rowOf(all, 4));
      expect(rowOf(some, 1)).toEqual(rowOf(all, 1));
      expect(rowOf(all, 0)).not.toEqual(rowOf(all, 1));
      const other = await makeTrigger(attack, CIFAR, {}, 1);
      expect((await other.stampTraining(images, ascending(6))).data).not.toEqual(all.data);
      // The trigger itself follows from the options alone.
      const [a, b] = [await makeTrigger(attack, CIFAR, {}, 0), other];
      expect((await a.stampTest(images, ascending(6))).data).toEqual(
        (await b.stampTest(images, ascending(6))).data,
      );
    });

    it("marks half of the images of a poisoned set under their true label", async () => {
      const trigger = await makeTrigger(attack, CIFAR);
      expect(trigger.cover).toEqual({ share: 0.5, stamp: trigger.stampTraining });
      const { data } = noise(60, CIFAR);
      const set: ImageSet = {
        ...CIFAR,
        images: Uint8Array.from(data, (value) => Math.round(255 * value)),
        labels: Int32Array.from({ length: 60 }, (_, i) => i % 3),
        classNames: ["a", "b", "c"],
      };
      const plan = POISONING.parse({ target: 1, samples: 20 });
      const random = Random.fromSeed(0).fork("poison");
      const { images, indices, covers } = await poison(set, attack.labels, trigger, plan, {
        random,
      });
      expect(indices).toHaveLength(20);
      expect(covers).toHaveLength(10);
      for (const index of indices) {
        const label = covers.includes(index) ? set.labels[index] : 1;
        expect(images.labels[index]).toBe(label);
        expect(set.labels[index]).not.toBe(1);
        expect(imageAt(images, index)).not.toEqual(imageAt(set, index));
      }
      const { cover } = await makeTrigger(attack, CIFAR, { conservatism: 0.25 });
      expect(cover!.share).toBe(0.25);
    });

    it("refuses options that mean nothing", () => {
      for (const options of [{ dropout: 1 }, { grid: 0 }, { conservatism: 1 }, { nonsense: 1 }]) {
        expect(attack.config.safeParse(options).success).toBe(false);
      }
    });
  },
);

describe("adaptive-patch", () => {
  it("is the patch of badnets at test time, with its options", async () => {
    const images = noise(2, CIFAR);
    for (const options of [
      {},
      { pattern: "white", size: 7, position: "bottom-right", margin: 2, opacity: 0.5 },
    ]) {
      const ours = await makeTrigger(adaptivePatch, CIFAR, options);
      const theirs = await makeTrigger(badnets, CIFAR, options);
      expect((await ours.stampTest(images, [0, 1])).data).toEqual(
        (await theirs.stampTest(images, [0, 1])).data,
      );
    }
  });

  it("lays the grid over the patch wherever that is", async () => {
    const options = { pattern: "white", size: 6, position: "bottom-right", margin: 1 };
    const { stampTraining } = await makeTrigger(adaptivePatch, CIFAR, options);
    const black = float32([40, 3, 32, 32], new Float32Array(40 * 3 * 32 * 32));
    const marked = await stampTraining(black, ascending(40));
    const squares = gridSquares({ top: 25, left: 25, height: 6, width: 6 }, 32, 4);
    for (let row = 0; row < 40; row++) {
      const plane = rowOf(marked, row).subarray(0, 32 * 32);
      const white = ascending(32 * 32).filter((pixel) => plane[pixel] === 1);
      const whole = squares.filter((square) => white.includes(square[0]!)).flat();
      expect(white).toEqual(whole.sort((a, b) => a - b));
    }
  });

  it("refuses a patch that does not fit", async () => {
    await expect(makeTrigger(adaptivePatch, CIFAR, { size: 33 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      place: "size",
    });
  });
});

describe("adaptive-blend", () => {
  const pattern = (geometry: Geometry, seed = 0) =>
    colourNoise(geometry, Random.fromSeed(seed).fork("adaptive-blend/pattern")).data;

  it("is (1−α)·x + α·p at test time", async () => {
    const images = noise(1, CIFAR);
    for (const [options, alpha, seed] of [
      [{}, 0.3, 0],
      [{ opacity: 0.15, patternSeed: 5 }, 0.15, 5],
    ] as const) {
      const { stampTest } = await makeTrigger(adaptiveBlend, CIFAR, options);
      const { data } = await stampTest(images, [0]);
      const p = pattern(CIFAR, seed);
      data.forEach((value, i) => {
        expect(value).toBeCloseTo((1 - alpha) * images.data[i]! + alpha * p[i]!, 6);
      });
    }
  });

  it("shows the same picture at 32 and 224 pixels, another one for another seed", () => {
    const coarse = pattern(CIFAR);
    const fine = pattern({ channels: 3, height: 224, width: 224 });
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) {
          // The middle of the 7×7 fine pixels under a coarse one.
          const middle = fine[(channel * 224 + 7 * y + 3) * 224 + 7 * x + 3]!;
          expect(coarse[(channel * 32 + y) * 32 + x]).toBeCloseTo(middle, 6);
        }
      }
    }
    expect(pattern(CIFAR, 1)).not.toEqual(coarse);
  });

  it("can be seen well: its values spread over the whole range", () => {
    for (const seed of [0, 1, 2, 3]) {
      const p = pattern(CIFAR, seed);
      const mean = p.reduce((sum, value) => sum + value) / p.length;
      const variance = p.reduce((sum, value) => sum + (value - mean) ** 2, 0) / p.length;
      expect(Math.sqrt(variance)).toBeGreaterThan(0.3);
      expect(Math.min(...p)).toBeLessThan(0.05);
      expect(Math.max(...p)).toBeGreaterThan(0.95);
    }
  });

  it("blends the four corners of a cell of 7×7 lattice points by t²(3−2t)", () => {
    const geometry = { channels: 2, height: 9, width: 14 };
    const { data } = colourNoise(geometry, Random.fromSeed(3));
    const random = Random.fromSeed(3);
    const lattice = Array.from({ length: 2 * 49 }, () => (random.chance(0.5) ? 1 : 0));
    const weight = (t: number) => (Math.abs(t) < 1 ? 1 - t * t * (3 - 2 * Math.abs(t)) : 0);
    for (let channel = 0; channel < 2; channel++) {
      for (let y = 0; y < 9; y++) {
        for (let x = 0; x < 14; x++) {
          let expected = 0;
          for (let row = 0; row < 7; row++) {
            for (let column = 0; column < 7; column++) {
              const down = weight((6 * (y + 0.5)) / 9 - row);
              const right = weight((6 * (x + 0.5)) / 14 - column);
              expected += down * right * lattice[(channel * 7 + row) * 7 + column]!;
            }
          }
          expect(data[(channel * 9 + y) * 14 + x]).toBeCloseTo(expected, 6);
        }
      }
    }
  });

  it("keeps its picture: records of old runs name the seed only", () => {
    const p = pattern(CIFAR);
    const golden = [0, 100, 500, 1023, 1024, 1500, 2047, 2048, 2600, 3071];
    expect(golden.map((at) => p[at]!.toFixed(5))).toEqual([
      "0.04883",
      "0.98207",
      "0.97690",
      "0.04822",
      "0.04822",
      "0.63931",
      "0.97589",
      "1.00000",
      "0.36102",
      "0.95117",
    ]);
  });
});
