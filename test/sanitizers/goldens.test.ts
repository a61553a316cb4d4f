import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import type { ImageSet } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import { activationClustering } from "../../src/sanitizers/activation-clustering.ts";
import type { Sanitizer } from "../../src/sanitizers/sanitizer.ts";
import { silhouette } from "../../src/sanitizers/silhouette.ts";
import { spectralSignatures } from "../../src/sanitizers/spectral-signatures.ts";
import { watched } from "../support/contract.ts";
import { testDevice } from "../support/device.ts";
import { flatNet } from "../support/networks.ts";
import { fill } from "../train/fill.ts";

interface Group {
  readonly seed: number;
  readonly n: number;
  readonly marked: readonly number[];
}
interface Clustered {
  readonly scores: readonly number[];
  readonly smaller: readonly boolean[];
  readonly silhouette: number;
}

function golden<C>(name: string): readonly C[] {
  const text = readFileSync(new URL(`goldens/${name}.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly cases: readonly C[] }).cases;
}

/** The generator's classes in one set, image by image in turn: [N,3,2,2]. */
function interleaved(groups: readonly Group[]): { set: ImageSet; rows: number[][] } {
  const bytes: number[] = [];
  const labels: number[] = [];
  const rows: number[][] = groups.map(() => []);
  for (let row = 0; groups.some(({ n }) => row < n); row++) {
    for (const [label, { seed, n, marked }] of groups.entries()) {
      if (row >= n) continue;
      const values = fill(seed, [n, 12]).data.subarray(row * 12, (row + 1) * 12);
      values.forEach((value, at) => {
        const byte = Math.floor(((value + 1) / 2) * 255.999);
        bytes.push(marked.includes(row) && at < 4 ? Math.floor(byte / 16) + 239 : byte);
      });
      rows[label]!.push(labels.push(label) - 1);
    }
  }
  return {
    set: {
      ...{ channels: 3, height: 2, width: 2, images: Uint8Array.from(bytes) },
      ...{ labels: Int32Array.from(labels), classNames: groups.map((_, k) => `class ${k}`) },
    },
    rows,
  };
}

const device = await testDevice();
const model = await Classifier.fromGraph(flatNet(2), device);

async function sanitized<C extends z.ZodType>(
  method: Sanitizer<C>,
  set: ImageSet,
  options: object,
) {
  const { context } = watched(device, 1);
  return method.run(context, { images: set, model }, method.config.parse(options));
}

/** So many starts that the best split is among those found: of noise, ten do not always find it. */
const OPTIONS = { components: 3, restarts: 100 };

/** Latents are float32: 6e-8 of a value in [0,1], a few times over. */
const TOLERANCE = 1e-6;

test("spectral signatures agree with NumPy's singular vectors", async () => {
  const groups = golden<Group & { readonly scores: readonly number[] }>("spectral-signatures");
  const { set, rows } = interleaved(groups);
  const { scores, removed } = await sanitized(spectralSignatures, set, { epsilon: 0.1 });
  const expected: number[] = [];
  for (const [label, group] of groups.entries()) {
    const own = rows[label]!;
    for (const [row, position] of own.entries()) {
      expect(Math.abs(scores[position]! - group.scores[row]!)).toBeLessThan(TOLERANCE);
    }
    const order = group.scores.map((score, row) => [score, own[row]!] as const);
    order.sort(([a], [b]) => b - a);
    // 15 % of 30, of 8 and of one image.
    expected.push(...order.slice(0, [4, 1, 0][label]).map(([, position]) => position));
  }
  expect(removed).toEqual(expected.sort((a, b) => a - b));
});

describe.each(["ica", "pca"] as const)("activation clustering with %s", (reduction) => {
  const groups = golden<Group & Record<"ica" | "pca", Clustered>>("activation-clustering");
  const { set, rows } = interleaved(groups);

  test("splits as the best of all splits of NumPy's components does", async () => {
    const options = { ...OPTIONS, reduction };
    const { scores } = await sanitized(activationClustering, set, options);
    for (const [label, group] of groups.entries()) {
      for (const [row, position] of rows[label]!.entries()) {
        const wanted = group[reduction].scores[row]!;
        // FastICA stops within 1e-6 of its rotation.
        expect(Math.abs(scores[position]! - wanted)).toBeLessThan(10 * TOLERANCE);
      }
    }
  });

  const share = (one: readonly boolean[]) => one.filter(Boolean).length / one.length;

  test.each([
    [{ decision: "size", largestShare: 0.25 }, (c: Clustered) => share(c.smaller) < 0.25],
    [{ decision: "size", largestShare: 0.45 }, (c: Clustered) => share(c.smaller) < 0.45],
    [{ decision: "silhouette", leastSilhouette: 0.26 }, (c: Clustered) => c.silhouette >= 0.26],
    [{ decision: "silhouette", leastSilhouette: 0.22 }, (c: Clustered) => c.silhouette >= 0.22],
    [
      { decision: "both", largestShare: 0.47, leastSilhouette: 0.242 },
      (c: Clustered) => share(c.smaller) < 0.47 && c.silhouette >= 0.242,
    ],
  ] as const)("leaves out the smaller clusters that %o makes poison", async (rule, poisoned) => {
    const options = { ...OPTIONS, reduction, ...rule };
    const { removed } = await sanitized(activationClustering, set, options);
    const expected = groups.flatMap((group, label) =>
      poisoned(group[reduction])
        ? rows[label]!.filter((_, row) => group[reduction].smaller[row])
        : [],
    );
    expect(removed).toEqual(expected.sort((a, b) => a - b));
  });
});

test("a silhouette has two clusters, and none for a point alone", () => {
  // At 0, a = 1 and b = 10; at 1, a = 1 and b = 9.
  const points = Float64Array.of(0, 1, 10);
  expect(silhouette(points, 1, Uint8Array.of(0, 0, 1))).toBeCloseTo((9 / 10 + 8 / 9) / 3, 12);
  expect(silhouette(points, 1, Uint8Array.of(0, 0, 0))).toBe(0);
});
