import { expect, test, vi } from "vitest";
import { expand } from "../../../src/experiments/grid/expand.ts";
import { needsOf } from "../../../src/experiments/grid/trial.ts";
import { experimentOf, IMAGES } from "./fixtures.ts";

/* Defences before training and at inference time, whatever there is of them. */

const method = await vi.hoisted(async () => {
  const { z } = await import("zod");
  const config = z.strictObject({ share: z.number().default(0.1) });
  return { summary: "", source: {}, config };
});
vi.mock("../../../src/sanitizers/index.ts", () => ({
  SANITIZERS: { filter: { ...method, name: "filter" } },
}));
vi.mock("../../../src/deployments/index.ts", () => ({
  DEPLOYMENTS: { blur: { ...method, name: "blur" } },
}));

const trials = expand(
  experimentOf({
    attacks: [{ name: "badnets", poisoned: 5 }],
    sanitizers: ["filter", { name: "filter", share: 0.2 }],
    deployments: ["blur"],
    trusted: [50],
  }),
  IMAGES,
);
const find = (label: string) => trials.find((trial) => trial.label === label)!;

test("a sanitizer gives every model another one, trained on what is left", () => {
  for (const model of ["clean seed 0", "badnets m=5 seed 0"]) {
    const { key, config } = find(model);
    const { config: filtered } = find(`${model}, filter`);
    expect(filtered).toEqual({
      ...config,
      sanitizer: { name: "filter", options: { share: 0.1 } },
      unsanitized: key,
    });
    expect(needsOf(filtered)).toContain(key);
    expect(find(`${model}, filter share=0.2`).config).toMatchObject({
      sanitizer: { options: { share: 0.2 } },
    });
  }
});

test("a defence at inference time stands in the place of a repair, on attacked models", () => {
  expect(find("badnets m=5 seed 0, blur r=50").config).toMatchObject({
    ...{ kind: "repair", repair: null, trusted: 50 },
    deployment: { name: "blur", options: { share: 0.1 } },
  });
  expect(trials.filter(({ config }) => config.kind === "repair")).toHaveLength(1);
  expect(trials).toHaveLength(2 + 4 + 1);
});

test("of one kind of defence nothing can be put together", () => {
  expect(() =>
    expand(experimentOf({ repairs: ["weight-decay"], trusted: [50], combine: true }), IMAGES),
  ).toThrow("There are no two defences to put together.");
});

test("defences put together are every pair, on every model, in the order in which they play", () => {
  const combined = expand(
    experimentOf({
      attacks: [{ name: "badnets", poisoned: 5 }],
      sanitizers: ["filter"],
      repairs: ["weight-decay"],
      deployments: ["blur"],
      combine: true,
      trusted: [50],
    }),
    IMAGES,
  );
  const labels = combined.map(({ label }) => label);
  const defended = ["weight-decay r=50", "blur r=50", "weight-decay + blur r=50"];
  expect(labels).toEqual([
    ...["clean seed 0", "clean seed 0, filter", "badnets m=5 seed 0", "badnets m=5 seed 0, filter"],
    ...defended.map((part) => `badnets m=5 seed 0, ${part}`),
    ...defended.map((part) => `badnets m=5 seed 0, filter, ${part}`),
  ]);
  const [filtered, last] = [combined[3]!, combined.at(-1)!];
  expect(last.config).toMatchObject({
    ...{ kind: "repair", model: filtered.key },
    ...{ repair: { name: "weight-decay" }, deployment: { name: "blur" } },
  });
  for (const { family } of combined.slice(2)) expect(family).toBe(combined[2]!.key);
});
