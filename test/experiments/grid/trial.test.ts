import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TRAINING_ATTACKS } from "../../../src/attacks/index.ts";
import { JURY_REVISION } from "../../../src/audit/jury.ts";
import { VERSION } from "../../../src/core/version.ts";
import { DEPLOYMENTS } from "../../../src/deployments/index.ts";
import { DETECTORS } from "../../../src/detectors/index.ts";
import {
  detectionTrial,
  keyOf,
  modelTrial,
  needsOf,
  repairTrial,
  type TrialConfig,
  trialConfig,
} from "../../../src/experiments/grid/trial.ts";
import { REPAIRS } from "../../../src/repairs/index.ts";
import { SANITIZERS } from "../../../src/sanitizers/index.ts";
import { DETECTION, MODEL, REPAIR } from "./fixtures.ts";

const OTHER = "0123456789abcdef0123";
const method = { name: "wanet", options: { grid: 2 } };

/** For every field, values that it does not have in the base config. */
const CHANGES: Readonly<Record<TrialConfig["kind"], Readonly<Record<string, readonly unknown[]>>>> =
  {
    model: {
      data: [
        { ...MODEL.data, train: "3" },
        { ...MODEL.data, test: "3" },
      ],
      network: [{ ...MODEL.network, width: 5 }],
      training: [
        ...Object.entries({
          ...{ epochs: 3, batch: 64, optimiser: "adam", learningRate: 0.3, schedule: "constant" },
          ...{ momentum: 0.8, nesterov: false, weightDecay: 0, labelSmoothing: 0, padding: 2 },
          flip: false,
        }).map(([name, value]) => ({ ...MODEL.training, [name]: value })),
        { ...MODEL.training, padding: undefined },
      ],
      attack: [null, method, { ...MODEL.attack!, options: { size: 2 } }],
      target: [null, 2],
      poisoning: [
        null,
        { ...MODEL.poisoning!, samples: 21 },
        { ...MODEL.poisoning!, boost: 1 },
        { ...MODEL.poisoning!, embed: "before-augmentation" },
      ],
      surrogate: [OTHER],
      sanitizer: [method],
      unsanitized: [OTHER],
      seed: [4],
    },
    repair: {
      model: [OTHER],
      trusted: [41],
      pool: ["0".repeat(64)],
      repair: [null, method, { ...REPAIR.repair!, options: { steps: 8 } }],
      deployment: [method],
      allowedDrop: [0.03],
      heldOut: [0.2],
      seed: [4],
    },
    detection: {
      model: [OTHER],
      trusted: [41],
      pool: ["0".repeat(64)],
      detector: [method],
      repair: [null, OTHER],
      heldOut: [0.2],
      seed: [4],
    },
  };

const BASES = { model: MODEL, repair: REPAIR, detection: DETECTION };
const SCHEMAS = { model: modelTrial, repair: repairTrial, detection: detectionTrial };

describe.each(["model", "repair", "detection"] as const)("the key of a %s trial", (kind) => {
  const base: TrialConfig = BASES[kind];

  test("changes with every field", () => {
    const changes = CHANGES[kind];
    const fields = Object.keys(SCHEMAS[kind].shape).filter((name) => name !== "kind");
    expect(Object.keys(changes)).toEqual(fields);
    const changed = Object.entries(changes).flatMap(([name, values]) =>
      values.map((value) => ({ ...base, [name]: value }) as TrialConfig),
    );
    const keys = [base, ...changed].map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("does not depend on the order of fields, and survives JSON", () => {
    const turned = (value: unknown): unknown =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([name, inner]) => [name, name === "options" ? inner : turned(inner)]),
          )
        : value;
    expect(keyOf(turned(base) as TrialConfig)).toBe(keyOf(base));
    expect(keyOf(JSON.parse(JSON.stringify(base)))).toBe(keyOf(base));
  });

  test("refuses fields that it would not count", () => {
    expect(() => keyOf({ ...base, more: 1 } as never)).toThrow("more");
  });
});

test("every option of training counts", () => {
  const counted = CHANGES.model["training"]!.map((changed) =>
    Object.entries(changed as object)
      .filter(([name, value]) => value !== MODEL.training[name as "epochs"])
      .map(([name]) => name),
  );
  expect(new Set(counted.flat())).toEqual(new Set(Object.keys(modelTrial.shape.training.shape)));
});

test("a trial needs the trials whose models it takes", () => {
  expect(needsOf(MODEL)).toEqual([]);
  expect(needsOf({ ...MODEL, surrogate: OTHER, unsanitized: keyOf(REPAIR) })).toEqual([
    OTHER,
    keyOf(REPAIR),
  ]);
  expect(needsOf(REPAIR)).toEqual([keyOf(MODEL)]);
  expect(needsOf(DETECTION)).toEqual([keyOf(MODEL), keyOf(REPAIR)]);
  expect(needsOf({ ...DETECTION, repair: null })).toEqual([keyOf(MODEL)]);
});

describe("the revision of a method", () => {
  /** The key that a trial has, with these versions before its config: that of its kind, and the method's revision. */
  const hashed = (config: TrialConfig, ...versions: unknown[]) =>
    createHash("sha256")
      .update(JSON.stringify([VERSION, ...versions, trialConfig.parse(config)]))
      .digest("hex")
      .slice(0, 20);
  const repair = (name: keyof typeof REPAIRS) =>
    ({ ...REPAIR, repair: { name, options: {} } }) satisfies TrialConfig;
  const detection = (name: keyof typeof DETECTORS) =>
    ({ ...DETECTION, detector: { name, options: {} } }) satisfies TrialConfig;

  test("is part of the keys of its trials, if it has one", () => {
    const { revision } = REPAIRS["trigger-unlearning"];
    const { revision: other } = DETECTORS["smallest-trigger"];
    expect([revision, other].every((it) => it! > 1)).toBe(true);
    expect(keyOf(repair("trigger-unlearning"))).toBe(
      hashed(repair("trigger-unlearning"), 2, { jury: JURY_REVISION }, revision),
    );
    expect(keyOf(detection("smallest-trigger"))).toBe(
      hashed(detection("smallest-trigger"), 1, other),
    );
  });

  const sanitized = {
    ...MODEL,
    sanitizer: { name: "spectral-signatures", options: {} },
    unsanitized: keyOf(MODEL),
  } satisfies TrialConfig;
  const deployed = {
    ...{ ...REPAIR, repair: null },
    deployment: { name: "strip", options: {} },
  } satisfies TrialConfig;

  test.each([
    ["attack", TRAINING_ATTACKS["badnets"], MODEL, 1],
    ["sanitizer", SANITIZERS["spectral-signatures"], sanitized, 1],
    ["deployment", DEPLOYMENTS.strip, deployed, 2],
  ] as const)("of an %s would be part of them, too", (kind, method, config, version) => {
    expect(keyOf(config)).toBe(hashed(config, version));
    const revised = method as { revision?: number };
    revised.revision = 2;
    try {
      expect(keyOf(config)).toBe(hashed(config, version, { [kind]: 2 }));
    } finally {
      delete revised.revision;
    }
  });

  test("leaves other keys as they were", () => {
    expect(REPAIRS["weight-decay"].revision).toBeUndefined();
    expect(keyOf(repair("weight-decay"))).toBe(
      hashed(repair("weight-decay"), 2, { jury: JURY_REVISION }),
    );
    expect(keyOf(detection("mm-bd"))).toBe(hashed(detection("mm-bd"), 1));
    const undone = { ...REPAIR, repair: null } satisfies TrialConfig;
    expect(keyOf(undone)).toBe(hashed(undone, 2));
  });
});
