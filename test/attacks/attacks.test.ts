import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Attack } from "../../src/attacks/attack.ts";
import { ATTACKS } from "../../src/attacks/index.ts";
import { POISONING, poison } from "../../src/attacks/poison.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { ascending, batchTensors, count, type ImageSet, imageAt } from "../../src/data/images.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import { noDevice } from "./no-device.ts";

const attacks: [string, Attack][] = Object.entries(ATTACKS);

/** 60 noisy colour images in three classes. */
function noise(): ImageSet {
  const random = Random.fromSeed(1);
  const images = Uint8Array.from({ length: 60 * 3 * 16 * 16 }, () => random.integer(0, 256));
  const labels = Int32Array.from({ length: 60 }, (_, i) => i % 3);
  return { channels: 3, height: 16, width: 16, images, labels, classNames: ["a", "b", "c"] };
}

function context(seed = 0): RunContext {
  return { device: noDevice, random: Random.fromSeed(seed), emit: silent };
}

describe("the registry of attacks", () => {
  it("lists every attack file under its own name", () => {
    const shared = ["attack.ts", "index.ts", "patterns.ts", "poison.ts"];
    const folder = new URL("../../src/attacks/", import.meta.url);
    const files = readdirSync(folder).filter((file) => !shared.includes(file));
    expect(files.map((file) => file.replace(".ts", "")).sort()).toEqual(
      Object.keys(ATTACKS).sort(),
    );
    for (const [name, attack] of attacks) expect(attack.name).toBe(name);
  });
});

describe.each(attacks)("%s", (_, attack) => {
  const set = noise();
  const input = { geometry: set, classes: 3, target: 1 };
  const defaults = attack.config.parse({});
  const images = batchTensors(set, ascending(count(set))).images;

  it("has a schema that refuses unknown options and describes every option", () => {
    expect(attack.config.safeParse({ nonsense: 1 }).success).toBe(false);
    const shape = (attack.config as unknown as { shape: Record<string, { description?: string }> })
      .shape;
    for (const [option, schema] of Object.entries(shape)) {
      expect(schema.description, option).toBeTruthy();
    }
  });

  it("marks images without changing its argument, within [0,1]", async () => {
    const trigger = await attack.run(context(), input, defaults);
    for (const stamp of [trigger.stampTraining, trigger.stampTest]) {
      const before = images.data.slice();
      const stamped = stamp(images, set.labels);
      expect(images.data).toEqual(before);
      expect(stamped.shape).toEqual(images.shape);
      expect(stamped.data).not.toEqual(images.data);
      expect(stamped.data.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  it("poisons m images of the right classes, the same ones for the same seed", async () => {
    const trigger = await attack.run(context(), input, defaults);
    const plan = { target: 1, samples: 7, boost: 3, embed: "before-augmentation" } as const;
    const make = (seed: number) =>
      poison(set, attack.labels, trigger, plan, Random.fromSeed(seed).fork(attack.name));
    const poisoned = make(5);
    expect(poisoned.indices).toEqual(make(5).indices);
    expect(poisoned.indices).not.toEqual(make(6).indices);
    expect(new Set(poisoned.indices).size).toBe(7);
    expect(count(poisoned.images)).toBe(60 + 2 * 7);
    for (const index of ascending(60)) {
      const isPoisoned = poisoned.indices.includes(index);
      const isSame = imageAt(set, index).every((v, i) => v === imageAt(poisoned.images, index)[i]);
      expect(isSame).toBe(!isPoisoned);
      if (isPoisoned) expect(set.labels[index] === 1).toBe(attack.labels === "clean");
      expect(poisoned.images.labels[index]).toBe(isPoisoned ? 1 : set.labels[index]);
    }
    // The copies are the poisoned images, in order, with the label of the target.
    poisoned.indices.forEach((index, row) => {
      for (const copy of [60 + row, 67 + row]) {
        expect(imageAt(poisoned.images, copy)).toEqual(imageAt(poisoned.images, index));
        expect(poisoned.images.labels[copy]).toBe(1);
      }
    });
  });
});

describe("poison", () => {
  it("marks moved images and exempts them from augmentation, if embedded after it", async () => {
    const set = noise();
    const attack: Attack = ATTACKS.badnets;
    const input = { geometry: set, classes: 3, target: 1 };
    const config = attack.config.parse({ pattern: "white", size: 2 });
    const trigger = await attack.run(context(), input, config);
    const plan = { target: 1, samples: 20, boost: 2, embed: "after-augmentation" };
    const random = Random.fromSeed(0);
    const poisoned = poison(set, "poison", trigger, POISONING.parse(plan), random, { flip: false });
    expect([...poisoned.unaugmented].sort((a, b) => a - b)).toEqual(
      [...poisoned.indices, ...ascending(80).slice(60)].sort((a, b) => a - b),
    );
    let moved = 0;
    for (const index of poisoned.indices) {
      const [before, after] = [imageAt(set, index), imageAt(poisoned.images, index)];
      for (const at of [0, 1, 16, 17]) expect(after[at]).toBe(255); // the patch itself stays
      if (before[100] !== after[100]) moved++;
    }
    expect(moved).toBeGreaterThan(10);
  });

  it("refuses a class that does not exist and more poison than there are images", async () => {
    const set = noise();
    const attack: Attack = ATTACKS.badnets;
    const input = { geometry: set, classes: 3, target: 1 };
    const trigger = await attack.run(context(), input, attack.config.parse({}));
    const random = Random.fromSeed(0);
    const attempt = (target: number, samples: number, labels: Attack["labels"]) => () =>
      poison(set, labels, trigger, POISONING.parse({ target, samples }), random);
    expect(attempt(3, 1, "poison")).toThrowError(expect.objectContaining({ place: "target" }));
    expect(attempt(1, 41, "poison")).toThrowError(/41 images .* has 40 of other classes/);
    expect(attempt(1, 21, "clean")).toThrowError(/has 20 of the target class/);
    expect(attempt(1, 20, "clean")).not.toThrow();
  });
});
