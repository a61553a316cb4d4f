import { describe, expect, test } from "vitest";
import { expand, type Planned } from "../../../src/experiments/grid/expand.ts";
import { keyOf, needsOf } from "../../../src/experiments/grid/trial.ts";
import { plansOf } from "../../../src/experiments/reproduce/reproduce.ts";
import { scaleNamed } from "../../../src/experiments/reproduce/scales.ts";
import { table3 } from "../../../src/experiments/reproduce/table-3.ts";
import { experimentOf, IMAGES } from "./fixtures.ts";

const trialsOf = (given: object) => expand(experimentOf(given), IMAGES);

const GRID = {
  attacks: [{ name: "badnets", poisoned: [5, 10] }, { name: "adv", poisoned: 4, boost: 3 }, "pcb"],
  seeds: 2,
  cleanModels: 3,
  trusted: [0.25, 100],
  repairs: ["weight-decay", { name: "pivotal-tuning", steps: 100 }],
  reference: { name: "pivotal-tuning", steps: 100 },
  detectors: ["calibrated-trigger-inversion", "smallest-trigger", "neural-cleanse"],
};
const kinds = (trials: readonly Planned[], kind: string) =>
  trials.filter(({ config }) => config.kind === kind);

describe("the trials of an experiment", () => {
  const trials = trialsOf(GRID);
  const places = new Map(trials.map(({ key }, at) => [key, at]));

  test("are every combination, each once", () => {
    expect(places.size).toBe(trials.length);
    for (const { key, config } of trials) expect(key).toBe(keyOf(config));
    // One surrogate, three clean models, and two each of badnets (two amounts), adv and pcb.
    expect(kinds(trials, "model")).toHaveLength(1 + 3 + 2 * 4);
    // The repairs of attacked models; for clean ones the copy that one detector compares with.
    expect(kinds(trials, "repair")).toHaveLength(8 * 2 * 2 + 3 * 2);
    expect(kinds(trials, "detection")).toHaveLength(11 * 2 * 3);
  });

  test("come after those that they need", () => {
    for (const [at, { config, label }] of trials.entries()) {
      for (const key of needsOf(config)) {
        expect(places.get(key), label).toBeLessThan(at);
      }
    }
  });

  test("are called by what they are", () => {
    const labels = trials.map(({ label }) => label);
    expect(new Set(labels).size).toBe(labels.length);
    for (const label of [
      "surrogate",
      "clean seed 2",
      "badnets m=10 seed 1",
      "adv m=4·b3 seed 0",
      "pcb seed 1",
      "pcb seed 1, weight-decay r=50",
      "clean seed 0, pivotal-tuning steps=100 r=100",
      "adv m=4·b3 seed 1, calibrated-trigger-inversion r=100",
    ]) {
      expect(labels).toContain(label);
    }
  });

  test("belong to the family of their model", () => {
    const byKey = new Map(trials.map((trial) => [trial.key, trial]));
    for (const { key, config, family } of trials) {
      expect(family).toBe(config.kind === "model" ? key : config.model);
      expect(byKey.get(family)?.config.kind).toBe("model");
    }
  });

  test("share models: another defence adds only its own trials", () => {
    const more = trialsOf({ ...GRID, repairs: [...GRID.repairs, "nad"] });
    const added = more.filter(({ key }) => !places.has(key));
    expect(added).toHaveLength(8 * 2);
    for (const { config } of added) expect(config).toMatchObject({ repair: { name: "nad" } });
  });

  test("state everything: amounts, target, surrogate, and the seed of the model", () => {
    const find = (label: string) => trials.find((trial) => trial.label === label)!;
    expect(find("adv m=4·b3 seed 1").config).toMatchObject({
      ...{
        kind: "model",
        target: 0,
        seed: 1,
        data: { train: IMAGES.digests.train, test: IMAGES.digests.test },
      },
      attack: { name: "adv", options: { steps: 4 } },
      poisoning: { samples: 4, boost: 3, embed: "before-augmentation" },
      surrogate: find("surrogate").key,
    });
    expect(find("surrogate").config).toMatchObject({
      ...{ attack: null, network: { width: 16 }, training: { epochs: 4 } },
    });
    expect(find("pcb seed 0").config).toMatchObject({
      attack: { name: "pcb" },
      poisoning: null,
    });
    expect(find("badnets m=5 seed 1, weight-decay r=50").config).toMatchObject({
      ...{ model: find("badnets m=5 seed 1").key, trusted: 50, seed: 1 },
    });
  });

  test("take the paper's amounts from a preset, unless an attack states its own", () => {
    // Its amount for c-badnets is larger than this set of images.
    const attacks = [
      "badnets",
      { name: "tsb", poisoned: 7 },
      { name: "wanet", poisoned: 9, embed: "before-augmentation" },
    ];
    const models = kinds(trialsOf({ attacks, preset: "cifar10", cleanModels: 0 }), "model");
    expect(models.map(({ config }) => "poisoning" in config && config.poisoning)).toEqual([
      { samples: 50, boost: 1, embed: "after-augmentation" },
      { samples: 7, boost: 1, embed: "after-augmentation" },
      { samples: 9, boost: 1, embed: "before-augmentation" },
    ]);
  });

  test("tell the same method under other options apart", () => {
    const attacks = [2, 3].map((size) => ({ name: "badnets", poisoned: 5, size }));
    const labels = kinds(trialsOf({ attacks, cleanModels: 0 }), "model").map(({ label }) => label);
    expect(labels).toEqual(["badnets size=2 m=5 seed 0", "badnets size=3 m=5 seed 0"]);
  });

  test("give fractions four digits", () => {
    const attacks = [{ name: "adaptive-blend", poisoned: 5, conservatism: 1 / 3 }];
    const labels = kinds(trialsOf({ attacks, cleanModels: 0 }), "model").map(({ label }) => label);
    expect(labels).toEqual(["adaptive-blend conservatism=0.3333 m=5 seed 0"]);
  });
});

test("labels tell embeddings apart where they differ", () => {
  const attacks = (["before-augmentation", "after-augmentation"] as const).map((embed) => ({
    ...{ name: "badnets", poisoned: 5, embed },
  }));
  const plan = experimentOf({ attacks, cleanModels: 0 });
  expect(expand(plan, IMAGES).map(({ label }) => label)).toEqual([
    "badnets m=5 before-augmentation seed 0",
    "badnets m=5 after-augmentation seed 0",
  ]);
});

describe("what is wrong with an experiment is found before anything runs:", () => {
  const badnets = { name: "badnets", poisoned: 5 };
  test.each([
    ["an unknown attack", { attacks: ["badnet"] }, "UNKNOWN_METHOD", "Did you mean badnets?"],
    ["an unknown repair", { repairs: ["wait-decay"] }, "UNKNOWN_METHOD", "weight-decay"],
    ["an unknown detector", { detectors: ["nc"] }, "UNKNOWN_METHOD", "neural-cleanse"],
    ["an unknown sanitizer", { sanitizers: ["nothing-such"] }, "UNKNOWN_METHOD", ""],
    ["an unknown deployment", { deployments: ["nothing-such"] }, "UNKNOWN_METHOD", ""],
    ["an unknown reference", { reference: "nothing" }, "UNKNOWN_METHOD", ""],
    [
      "a wrong option",
      { attacks: [{ ...badnets, sise: 3 }] },
      "INVALID_CONFIG",
      "Did you mean size?",
    ],
    [
      "a wrong value",
      { repairs: [{ name: "nad", steps: "many" }] },
      "INVALID_CONFIG",
      "antidote methods nad",
    ],
    ["no amount", { attacks: ["badnets"] }, "INVALID_CONFIG", "Give the attack `poisoned`"],
    [
      "an amount where none belongs",
      { attacks: [{ name: "pcb", poisoned: 3 }] },
      "INVALID_CONFIG",
      "Leave out",
    ],
    [
      "too much poison",
      { attacks: [{ ...badnets, poisoned: [5, 161] }] },
      "INVALID_CONFIG",
      "Lower `poisoned`.",
    ],
    [
      "too much clean-label poison",
      { attacks: [{ name: "wanet", poisoned: 41 }] },
      "INVALID_CONFIG",
      "Lower `poisoned`.",
    ],
    ["an unknown target", { attacks: [badnets], target: 5 }, "INVALID_CONFIG", "from 0 to 4"],
    [
      "an unknown target of code poisoning",
      { attacks: ["pcb"], target: 5 },
      "INVALID_CONFIG",
      "from 0 to 4",
    ],
    [
      "photographs",
      { attacks: [{ name: "refool", poisoned: 3, mode: "photograph" }] },
      "INVALID_CONFIG",
      "Choose a mode",
    ],
    [
      "no trusted images",
      { attacks: [badnets], trusted: [0.001], repairs: ["nad"] },
      "TOO_FEW_IMAGES",
      "Change `trusted`",
    ],
    [
      "too few to hold out",
      { trusted: [20], detectors: ["mm-bd"] },
      "TOO_FEW_IMAGES",
      "Change `trusted`",
    ],
    [
      "more than there are",
      { attacks: [badnets], trusted: [201], repairs: ["nad"] },
      "TOO_FEW_IMAGES",
      "Change `trusted`",
    ],
    [
      "a patch that is larger than the images",
      { attacks: [{ ...badnets, size: 9 }] },
      "INVALID_CONFIG",
      "Choose a smaller size",
    ],
    [
      "a patch that its margin leaves no room",
      { attacks: [{ name: "adaptive-patch", poisoned: 5, margin: 8 }] },
      "INVALID_CONFIG",
      "Choose a smaller size",
    ],
    [
      "scattered patches that are too large",
      { attacks: [{ name: "tsb", poisoned: 5, size: 9 }] },
      "INVALID_CONFIG",
      "Choose a smaller size",
    ],
    [
      "reflections that lie apart by more than an image",
      { attacks: [{ name: "refool", poisoned: 5, shift: 8 }] },
      "INVALID_CONFIG",
      "Choose a smaller shift",
    ],
    [
      "nothing to repair",
      { repairs: ["nad"], trusted: [50] },
      "INVALID_CONFIG",
      "Name `attacks`, or leave `repairs` out.",
    ],
    [
      "nothing to defend",
      { deployments: ["strip"], trusted: [50] },
      "INVALID_CONFIG",
      "or leave `deployments` out.",
    ],
    [
      "no models",
      { detectors: ["mm-bd"], trusted: [50], cleanModels: 0 },
      "INVALID_CONFIG",
      "ask for `clean-models`",
    ],
  ])("%s", (_, given, code, next) => {
    let thrown: unknown;
    try {
      trialsOf(given);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code, next: expect.stringContaining(next) });
    expect((thrown as { place?: string }).place).toMatch(/^grid\.yaml, \w+/);
  });

  test("in a reproduction, with its name", () => {
    const [plan] = plansOf(table3, scaleNamed("small"));
    expect(() => expand(plan!, IMAGES)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("adaptive-patch: 500 images cannot be poisoned"),
        place: "table-3, attacks",
      }),
    );
  });

  test("but the most that there is can be poisoned, by the largest patch", () => {
    expect(trialsOf({ attacks: [{ ...badnets, poisoned: 160 }] })).toHaveLength(2);
    expect(trialsOf({ attacks: [{ ...badnets, size: 5, margin: 3 }] })).toHaveLength(2);
    // Nobody needs trusted images here.
    expect(trialsOf({ trusted: [1000] })).toHaveLength(1);
  });
});
