import { expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { type ImageSet, subset } from "../../src/data/images.ts";
import { complement, stratified, stratifiedFolds } from "../../src/data/split.ts";

/** A set with the given number of images of each class, labels interleaved. */
function withCounts(...counts: number[]): ImageSet {
  const left = [...counts];
  const labels: number[] = [];
  while (left.some((n) => n > 0)) {
    left.forEach((n, label) => {
      if (n > 0) labels.push(label);
      left[label] = n - 1;
    });
  }
  return {
    images: new Uint8Array(labels.length),
    labels: Int32Array.from(labels),
    channels: 1,
    height: 1,
    width: 1,
    classNames: counts.map((_, label) => `c${label}`),
  };
}

function perClass(set: ImageSet, indices: readonly number[]): number[] {
  const counts = set.classNames.map(() => 0);
  for (const label of subset(set, indices).labels) counts[label]!++;
  return counts;
}

const random = Random.fromSeed(1).fork("trusted");

test("an equal split takes the same of every class, small classes whole", () => {
  const set = withCounts(50, 40, 30, 3);
  const chosen = stratified(set, 63, random);
  expect(new Set(chosen).size).toBe(63);
  expect(chosen).toEqual([...chosen].sort((a, b) => a - b));
  expect(perClass(set, chosen)).toEqual([20, 20, 20, 3]);
  const uneven = perClass(set, stratified(set, 62, random));
  expect(uneven.slice(0, 3).sort()).toEqual([19, 20, 20]);
  expect(perClass(set, stratified(set, 123, random))).toEqual([50, 40, 30, 3]);
});

test("a proportional split keeps the shares", () => {
  const set = withCounts(60, 30, 10);
  const proportional = { balance: "proportional" } as const;
  expect(perClass(set, stratified(set, 50, random, proportional))).toEqual([30, 15, 5]);
  const counts = perClass(set, stratified(set, 33, random, proportional));
  expect(counts).toEqual([20, 10, 3]);
});

test("the choice depends on the seed only and never changes the set", () => {
  const set = withCounts(20, 20, 20);
  const labels = set.labels.slice();
  const chosen = stratified(set, 9, Random.fromSeed(3));
  expect(chosen).toEqual([6, 7, 23, 36, 41, 55, 57, 58, 59]);
  expect(stratified(set, 9, Random.fromSeed(3))).toEqual(chosen);
  expect(stratified(set, 9, Random.fromSeed(4))).not.toEqual(chosen);
  expect(set.labels).toEqual(labels);
});

test("too few images name the classes", () => {
  expect(() => stratified(withCounts(3, 3), 7, random)).toThrow("7 images wanted of 6");
  expect(() => stratified(withCounts(9, 0, 9), 6, random)).toThrow("too few of c1 (0)");
  expect(() => stratified(withCounts(9, 2, 1), 6, random, { minimumPerClass: 3 })).toThrow(
    "At least 3 images of each class are needed; too few of c1 (2), c2 (1)",
  );
  const failing = () => stratifiedFolds(withCounts(9, 2), 3, random);
  expect(failing).toThrow(expect.objectContaining({ code: "TOO_FEW_IMAGES" }));
});

test("folds part the set evenly, class by class", () => {
  const set = withCounts(11, 7, 5);
  const folds = stratifiedFolds(set, 4, random);
  expect(folds.flat().sort((a, b) => a - b)).toEqual(complement(23, []));
  expect(folds.map((fold) => fold.length).sort()).toEqual([5, 6, 6, 6]);
  for (const fold of folds) {
    const counts = perClass(set, fold);
    [11, 7, 5].forEach((size, label) => {
      expect(Math.abs(counts[label]! - size / 4)).toBeLessThan(1);
    });
  }
  expect(stratifiedFolds(set, 4, random)).toEqual(folds);
  expect(complement(6, [4, 0, 1])).toEqual([2, 3, 5]);
});
