import { describe, expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import {
  areaUnderRoc,
  kendallTau,
  rocDifference,
  rocWithInterval,
} from "../../src/core/ranking.ts";

const random = (name: string) => Random.fromSeed(3).fork(name);

/** Normal scores around a mean, rounded so that some are equal. */
const scores = (n: number, mean: number, name: string) => {
  const stream = random(name);
  return Array.from({ length: n }, () => Math.round(4 * stream.normal(mean)) / 4);
};

describe("the area under the ROC curve", () => {
  // sklearn.metrics.roc_auc_score([1]*P + [0]*N, positives + negatives), scikit-learn 1.9.1
  test.each([
    [[0.9, 0.8, 0.4, 0.4, 0.7], [0.1, 0.4, 0.8, 0.2], 0.775],
    [[1, 1, 2], [1, 2, 2, 0], 0.5],
    [[3, 4], [1, 2], 1],
    [[1], [2, 3], 0],
    [[5, 5], [5], 0.5],
  ])("of %j against %j is %f", (positives, negatives, expected) => {
    expect(areaUnderRoc(positives, negatives)).toBeCloseTo(expected, 12);
  });

  test("is the area of trapezoids under the curve over all thresholds", () => {
    for (let round = 0; round < 20; round++) {
      const [p, n] = [scores(13, 0.7, `p${round}`), scores(9, 0, `n${round}`)];
      // Points (false positive rate, true positive rate), from the highest threshold to the lowest.
      const thresholds = [...new Set([...p, ...n])].sort((a, b) => b - a);
      const share = (of: number[], from: number) => of.filter((s) => s >= from).length / of.length;
      let [area, x, y] = [0, 0, 0];
      for (const from of thresholds) {
        const [right, up] = [share(n, from), share(p, from)];
        area += ((right - x) * (y + up)) / 2;
        [x, y] = [right, up];
      }
      expect(areaUnderRoc(p, n)).toBeCloseTo(area, 12);
    }
  });

  test("needs scores of both kinds", () => {
    expect(() => areaUnderRoc([], [1])).toThrow("both kinds");
    expect(() => areaUnderRoc([1], [])).toThrow("both kinds");
  });
});

describe("bootstrapped intervals", () => {
  const [positives, negatives] = [scores(20, 1, "positives"), scores(20, 0, "negatives")];

  test("hold their value, lie in [0,1], and are the same for the same stream", () => {
    const roc = rocWithInterval(positives, negatives, random("roc"));
    expect(roc.value).toBe(areaUnderRoc(positives, negatives));
    expect(roc.low).toBeLessThan(roc.value);
    expect(roc.high).toBeGreaterThan(roc.value);
    expect(roc.low).toBeGreaterThanOrEqual(0);
    expect(roc.high).toBeLessThanOrEqual(1);
    expect(rocWithInterval(positives, negatives, random("roc"))).toEqual(roc);
    expect(rocWithInterval(positives, negatives, random("other"))).not.toEqual(roc);
  });

  test("are about as wide as theory says", () => {
    // Hanley & McNeil, 1982: Q1 = A/(2−A), Q2 = 2A²/(1+A).
    const { value: a, low, high } = rocWithInterval(positives, negatives, random("roc"));
    const [q1, q2, n] = [a / (2 - a), (2 * a * a) / (1 + a), 20];
    const variance = (a * (1 - a) + (n - 1) * (q1 - a * a + q2 - a * a)) / (n * n);
    const ratio = (high - low) / (2 * 1.96 * Math.sqrt(variance));
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.3);
  });

  test("keep their width where all positives lie above all negatives", () => {
    const { value, low, high } = rocWithInterval([2, 3], [0, 1], random("apart"));
    expect([value, high]).toEqual([1, 1]);
    expect(low).toBeLessThan(0.5);
    const many = rocWithInterval(scores(30, 9, "above"), scores(30, 0, "below"), random("apart"));
    expect(many.value).toBe(1);
    expect(many.low).toBeGreaterThan(0.85);
    expect(many.low).toBeLessThan(1);
  });

  test("hold the area of few scores about as often as they say", () => {
    // P(N(1,1) > N(0,1)) = Φ(1/√2)
    const area = 0.7602;
    const held = Array.from({ length: 300 }, (_, at) =>
      rocWithInterval(scores(4, 1, `p${at}`), scores(6, 0, `n${at}`), random(`held${at}`)),
    ).filter(({ low, high }) => low <= area && area <= high);
    expect(held.length / 300).toBeGreaterThan(0.92);
  });
});

describe("the difference of two areas on the same objects", () => {
  const pairs = (n: number, mean: number, name: string, noise: number) => {
    const [first, other] = [random(`${name}/first`), random(`${name}/other`)];
    return Array.from({ length: n }, (): [number, number] => {
      const score = first.normal(mean);
      return [score, score + noise * other.normal()];
    });
  };

  test("is that of the two areas, and turns its sign with them", () => {
    const [p, n] = [pairs(15, 1, "p", 1), pairs(15, 0, "n", 1)];
    const by = (which: 0 | 1) =>
      areaUnderRoc(...([p, n].map((of) => of.map((s) => s[which])) as [number[], number[]]));
    const { value, low, high } = rocDifference(p, n, random("difference"));
    expect(value).toBeCloseTo(by(0) - by(1), 12);
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
    const turned = (of: typeof p) => of.map(([a, b]): [number, number] => [b, a]);
    const swapped = rocDifference(turned(p), turned(n), random("difference"));
    expect(swapped.value).toBeCloseTo(-value, 12);
    expect(swapped.low).toBeCloseTo(-high, 1);
  });

  test("is certainly nothing for a score and itself, since objects are drawn with both scores", () => {
    const [p, n] = [pairs(15, 1, "p", 0), pairs(15, 0, "n", 0)];
    expect(rocDifference(p, n, random("none"))).toEqual({ value: 0, low: 0, high: 0 });
  });

  test("is far more certain for related scores than for unrelated ones", () => {
    const width = (noise: number) => {
      const { low, high } = rocDifference(
        pairs(30, 1, "p", noise),
        pairs(30, 0, "n", noise),
        random("width"),
      );
      return high - low;
    };
    expect(width(0.1)).toBeLessThan(width(3) / 3);
  });
});

describe("Kendall's τ_b", () => {
  // scipy.stats.kendalltau(a, b).statistic (variant "b"), SciPy 1.17.1
  test.each([
    [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 1],
    [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], -1],
    [[12, 2, 1, 12, 2], [1, 4, 7, 1, 0], -0.4714045207910316],
    [[1, 1, 2, 2, 3, 3, 4], [1, 2, 2, 3, 3, 3, 1], 0.23570226039551587],
    [[0.1, 0.4, 0.4, 0.8, 0.2, 0.9], [3, 3, 1, 2, 3, 0], -0.6943650748294137],
  ])("of %j and %j is %f", (a, b, expected) => {
    expect(kendallTau(a, b)).toBeCloseTo(expected, 12);
    expect(kendallTau(b, a)).toBeCloseTo(expected, 12);
  });

  test("says nothing of a score that is the same for all", () => {
    expect(kendallTau([1, 1, 1], [1, 2, 3])).toBeNaN();
  });

  test("compares scores of the same objects", () => {
    expect(() => kendallTau([1, 2], [1])).toThrow("same objects");
    expect(() => kendallTau([1], [1])).toThrow("same objects");
  });
});
