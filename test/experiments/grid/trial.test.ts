import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { VERSION } from "../../../src/core/version.ts";
import { keyOf, type RepairTrial, trialConfig } from "../../../src/experiments/grid/trial.ts";
import { REPAIRS } from "../../../src/repairs/index.ts";
import { REPAIR } from "./fixtures.ts";

const hashed = (...parts: unknown[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 20);

/** The trial with another repair. */
const by = (name: keyof typeof REPAIRS): RepairTrial => ({
  ...REPAIR,
  repair: { name, options: REPAIRS[name].config.parse({}) },
});

test("a key is made of the config and the versions, and of the revision of the method where there is one", () => {
  const [plain, revised] = [by("weight-decay"), by("trigger-unlearning")];
  expect([REPAIRS["weight-decay"].revision, REPAIRS["trigger-unlearning"].revision]).toEqual([
    undefined,
    2,
  ]);
  expect(keyOf(plain)).toBe(hashed(VERSION, 2, trialConfig.parse(plain)));
  expect(keyOf(revised)).toBe(hashed(VERSION, 2, 2, trialConfig.parse(revised)));
});
