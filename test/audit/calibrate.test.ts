import { describe, expect, test } from "vitest";
import { type Calibration, calibrate, settle } from "../../src/audit/calibrate.ts";
import { conclude } from "../../src/audit/conclude.ts";
import { auditOptions } from "../../src/audit/options.ts";
import { whatScoresMean } from "../../src/audit/words.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { proportion } from "../../src/core/statistics.ts";
import { float32 } from "../../src/core/tensor.ts";
import { additive } from "../../src/data/overlay.ts";
import { detection } from "../../src/detectors/detector.ts";
import { ruleOf } from "../../src/detectors/rules.ts";
import type { Examined } from "../../src/inversion/examined.ts";

const RULE = ruleOf("success-difference", 3);
const HIGH = RULE.backdooredFrom + 0.05;

function concluded(...scores: number[]) {
  const trigger = additive(float32([1, 1, 1], [0]));
  const most = proportion(9, 10);
  const classes = scores.map((score, target) => ({
    ...{ target, score, found: true, trigger, size: 1, kept: most },
    success: { suspect: most, repaired: most },
  }));
  return conclude([detection(RULE.statistic, classes)]);
}

const NOTHING: Calibration = { classes: null, repaired: null, references: [], power: null };
const reference = (score: number) => ({ file: "clean.onnx", score, accuracy: proportion(9, 10) });
const power = (found: number, count: number): Calibration["power"] => ({
  ...{ copies: count, planted: [], found: proportion(found, count) },
});

describe("settling a verdict", () => {
  test("leaves it as it is where nothing speaks against it", () => {
    for (const top of [HIGH, 0.1]) {
      const conclusion = concluded(0, top, 0.05);
      expect(settle(conclusion, NOTHING)).toEqual({ verdict: conclusion.verdict, why: [] });
      const calm = { ...NOTHING, references: [reference(0.01)], power: power(5, 5) };
      expect(settle(conclusion, calm).verdict).toBe(conclusion.verdict);
    }
  });

  test("calls no model backdoored that a clean one outdoes", () => {
    const found = settle(concluded(0, HIGH), { ...NOTHING, references: [reference(HIGH)] });
    expect(found.verdict).toBe("inconclusive");
    expect(found.why[0]).toContain("clean.onnx");
  });

  test("does not say that nothing was found where little would be", () => {
    const weak = settle(concluded(0, 0.1), { ...NOTHING, power: power(3, 5) });
    expect(weak.verdict).toBe("inconclusive");
    expect(weak.why[0]).toContain("3 of 5 copies");
    expect(settle(concluded(0, 0.1), { ...NOTHING, power: power(4, 5) }).verdict).toBe(
      "no-evidence",
    );
    const unknown = { copies: 5, planted: [], found: null };
    const none = settle(concluded(0, 0.1), { ...NOTHING, power: unknown });
    expect(none.verdict).toBe("inconclusive");
    expect(none.why[0]).toContain("No copy");
  });
});

describe("the other classes as a null", () => {
  const among = (...scores: number[]) => sampled(scores);
  const sampled = async (
    scores: readonly number[],
    examined?: Examined,
    { looks = 1, ...all }: { readonly classes?: number; readonly looks?: number } = {},
  ) => {
    const context = { device: undefined as never, random: Random.fromSeed(0), emit: silent };
    const about = {
      conclusion: concluded(...scores),
      prepared: { model: { classes: scores.length, ...all } },
      ...{ references: [], examined, looks },
    } as unknown as Parameters<typeof calibrate>[1];
    return (await calibrate(context, about, auditOptions.parse({ copies: 0 }))).classes;
  };

  test("tell how far the leading one stands out", async () => {
    // Others: mean 0, standard deviation 1/√3·… : {−0.1, 0, 0.1} has s = 0.1.
    const found = await among(0.8, -0.1, 0, 0.1);
    const deviations = 0.8 / (0.1 * Math.sqrt(1 + 1 / 3));
    expect(found?.deviations).toBeCloseTo(deviations, 9);
    // ν = 2: P(T > t) = ½ − t/(2√(t² + 2)), times four classes
    const tail = 0.5 - deviations / (2 * Math.sqrt(deviations ** 2 + 2));
    expect(found?.p).toBeCloseTo(4 * tail, 9);
  });

  test("are those drawn at random after a screening, and p is for the most extreme of all", async () => {
    // Classes 1 and 2 were picked for being extreme: they say nothing about what is usual.
    const examined = { targets: [0, 1, 2, 3, 4], controls: [0, 3, 4] };
    const found = await sampled([-0.1, 0.8, 0.7, 0, 0.1], examined, { classes: 1000 });
    const alone = await among(0.8, -0.1, 0, 0.1);
    expect(found).toMatchObject({ sample: 3, among: 1000, deviations: alone!.deviations });
    expect(found?.p).toBe(Math.min(1, (1000 * alone!.p) / 4));
  });

  test("count every kind of trigger that was searched as another chance", async () => {
    const [one, three] = [1, 3].map((looks) => sampled([0.8, -0.1, 0, 0.1], undefined, { looks }));
    expect((await three)!.p).toBeCloseTo(Math.min(1, 3 * (await one)!.p), 12);
  });

  test("say nothing where they are too few, or all alike", async () => {
    expect(await among(0.8, 0, 0.1)).toBeNull();
    expect(await among(0.8, 0, 0, 0)).toBeNull();
  });
});

test("every null is said with its weakness", () => {
  const said = whatScoresMean(
    {
      classes: { deviations: 5.43, p: 0.0004, sample: 9, among: 10 },
      repaired: { score: 0.9, target: { index: 1, name: "b" } },
      references: [reference(1.02)],
      power: power(19, 20),
    },
    500,
  );
  expect(said).toHaveLength(4);
  expect(said[0]).toContain(
    "5.4 standard deviations (p = less than 0.001 for the most extreme of 10;",
  );
  expect(said[2]).toContain("1 clean reference model scores 1.02");
  expect(said[3]).toContain("With these 500 images");
  expect(said[3]).toContain("19 of 20 copies");
  expect(whatScoresMean(NOTHING, 500)).toEqual([]);
});
