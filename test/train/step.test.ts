import { describe, expect, it } from "vitest";
import { float32, toNumbers } from "../../src/core/tensor.ts";
import { adam, sgd } from "../../src/train/optimisers.ts";
import { inParts } from "../../src/train/parts.ts";
import { compileStep, type StepDefinition } from "../../src/train/step.ts";
import { testDevice } from "../support/device.ts";

const device = await testDevice();

/** loss = ½‖x − centre‖², with a buffer that counts the steps and one that stays. */
function bowl(changes: Partial<StepDefinition<"distance">> = {}): StepDefinition<"distance"> {
  return {
    parameters: new Map([["x", float32([2], [4, -2])]]),
    buffers: new Map([
      ["count", float32([], [0])],
      ["half", float32([], [0.5])],
    ]),
    optimiser: sgd(),
    build(b, at) {
      const squares = b.sumSquares(b.sub(at("x"), b.input("centre", "float32", [2])));
      return {
        loss: b.mul(squares, at("half")),
        metrics: { distance: b.unary("Sqrt", squares) },
        updates: new Map([["count", b.add(at("count"), b.scalar(1))]]),
      };
    },
    ...changes,
  };
}

const feeds = { centre: float32([2], [1, 2]) };

async function x(step: { read: (names: string[]) => Promise<Map<string, unknown>> }) {
  return toNumbers((await step.read(["x"])).get("x") as ReturnType<typeof float32>);
}

describe("a step", () => {
  it("returns the loss and metrics before the update, and moves along the gradient", async () => {
    const step = await compileStep(device, bowl());
    const { loss, metrics } = await step.run(feeds, 0.5);
    expect(loss).toBe(12.5);
    expect(toNumbers(metrics.distance)).toEqual([5]);
    expect(await x(step)).toEqual([2.5, 0]);
    const state = await step.read();
    expect([...state.keys()].sort()).toEqual(["count", "half", "x"]);
    expect(state.get("count")).toEqual(float32([], [1]));
    expect(state.get("half")).toEqual(float32([], [0.5]));
  });

  it("projects a parameter after its update", async () => {
    const step = await compileStep(device, bowl({ project: (b, _, next) => b.clip(next, 0, 2) }));
    await step.run(feeds, 0.1);
    expect(await x(step)).toEqual([2, 0]);
  });

  it("takes the slope elsewhere, and moves from where it is", async () => {
    // Slope at 2x − 1 = (7, −5): half of 2·(7 − 1, −5 − 2). Through 2x it would be twice that.
    const build: StepDefinition["build"] = (b, at) => {
      const ahead = b.sub(b.mul(at("x"), b.scalar(2)), b.scalar(1));
      const squares = b.sumSquares(b.sub(ahead, b.input("centre", "float32", [2])));
      return { loss: b.mul(squares, at("half")), slopesAt: new Map([["x", ahead]]) };
    };
    const step = await compileStep(device, { ...bowl(), build });
    await step.run(feeds, 0.5);
    expect(await x(step)).toEqual([4 - 0.5 * 6, -2 + 0.5 * 7]);
  });

  it("starts again from written values without compiling", async () => {
    const step = await compileStep(device, bowl({ optimiser: adam() }));
    const path = async () => {
      for (let i = 0; i < 3; i++) await step.run(feeds, 0.1);
      return x(step);
    };
    const first = await path();
    expect(await path()).not.toEqual(first);
    await step.write(new Map([["x", float32([2], [4, -2])]]));
    await step.resetOptimiser();
    expect(await path()).toEqual(first);
  });

  it("continues exactly in another step that gets its state", async () => {
    const optimiser = adam({ weightDecay: 0.1 });
    const [one, other] = [
      await compileStep(device, bowl({ optimiser })),
      await compileStep(device, bowl({ optimiser })),
    ];
    for (let i = 0; i < 3; i++) await one.run(feeds, 0.1);
    await other.write(await one.read());
    const state = await one.readOptimiser();
    expect(state.steps).toBe(3);
    await other.writeOptimiser(state);
    for (const step of [one, other]) await step.run(feeds, 0.1);
    expect(await other.read()).toEqual(await one.read());
    expect(await other.readOptimiser()).toEqual(await one.readOptimiser());
  });

  it("leaves a parameter alone on which the loss does not depend", async () => {
    const parameters = new Map([
      ["x", float32([2], [4, -2])],
      ["unused", float32([3], [1, 2, 3])],
    ]);
    const step = await compileStep(device, bowl({ parameters }));
    await step.run(feeds, 0.5);
    expect((await step.read(["unused"])).get("unused")).toEqual(float32([3], [1, 2, 3]));
  });
});

describe("a step in parts", () => {
  // Means over rows: loss = mean(½(x − c)²) for one x.
  const rows = (n: number, parts: number | undefined): StepDefinition<"rows"> => ({
    parameters: new Map([["x", float32([1], [4])]]),
    buffers: new Map([["count", float32([], [0])]]),
    optimiser: adam({ weightDecay: 0.1 }),
    parts,
    build(b, at) {
      const away = b.sub(at("x"), b.input("centres", "float32", [n]));
      return {
        loss: b.mul(b.mean(b.mul(away, away)), b.scalar(0.5)),
        metrics: { rows: away },
        updates: new Map([["count", b.add(at("count"), b.scalar(1))]]),
      };
    },
  });
  const centres = [1, 2, -3, 5, 0.5, 8];

  it("moves as the whole step does, and tells every part", async () => {
    const whole = await compileStep(device, rows(6, undefined));
    const divided = await compileStep(device, rows(2, 3));
    const feeds = { centres: float32([6], centres) };
    for (let i = 0; i < 3; i++) {
      const one = await whole.run(feeds, 0.1);
      const { loss, metrics } = await divided.runParts(inParts(feeds, 3), 0.1);
      expect(loss).toBeCloseTo(one.loss, 5);
      expect(metrics.flatMap((part) => [...toNumbers(part.rows)])).toEqual([
        ...toNumbers(one.metrics.rows),
      ]);
      expect((await x(divided))[0]).toBeCloseTo((await x(whole))[0]!, 6);
    }
    const { slots, steps } = await divided.readOptimiser();
    expect(steps).toBe(3);
    expect([...slots.keys()]).toEqual(["first/x", "second/x"]);
    expect((await divided.read(["count"])).get("count")).toEqual(float32([], [9]));
  });

  it("forgets a slope that was no number once it starts again", async () => {
    const step = await compileStep(device, rows(3, 2));
    const start = await step.read();
    const feeds = (last: number) => inParts({ centres: float32([6], [1, 2, -3, 5, 0.5, last]) }, 2);
    await step.runParts(feeds(Number.POSITIVE_INFINITY), 0.1);
    expect((await x(step))[0]).toBeNaN();
    await step.write(start);
    await step.resetOptimiser();
    await step.runParts(feeds(8), 0.1);
    expect((await x(step))[0]).toBeCloseTo(3.9, 5);
  });

  it("has as many parts as it was compiled for", async () => {
    const step = await compileStep(device, rows(3, 2));
    const feeds = { centres: float32([3], [1, 2, 3]) };
    await expect(step.run(feeds, 0.1)).rejects.toThrow("the step has 2 parts");
    expect(() => inParts(feeds, 2)).toThrow("the parts of a step are equal");
  });
});
