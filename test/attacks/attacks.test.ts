import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Attack, AttackInput } from "../../src/attacks/attack.ts";
import { ATTACKS, CODE_POISONINGS } from "../../src/attacks/index.ts";
import { POISONING, poison } from "../../src/attacks/poison.ts";
import { PRESETS } from "../../src/attacks/presets.ts";
import { silent } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import { ascending, batchTensors, count, type ImageSet, imageAt } from "../../src/data/images.ts";
import { Classifier } from "../../src/models/classifier.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import { testDevice } from "../support/device.ts";
import { plainNet } from "../support/networks.ts";

const attacks: [string, Attack][] = Object.entries(ATTACKS);
const device = await testDevice();

/** Noisy colour images in three classes. */
function noise(total = 60, side = 16, seed = 1): ImageSet {
  const images = new Uint8Array(total * 3 * side * side);
  for (let i = 0, state = seed; i < images.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    images[i] = state >>> 24;
  }
  const labels = Int32Array.from({ length: total }, (_, i) => i % 3);
  return { channels: 3, height: side, width: side, images, labels, classNames: ["a", "b", "c"] };
}

function context(seed = 0): RunContext {
  return { device, random: Random.fromSeed(seed), emit: silent };
}

/** Whether two arrays hold the same bits; quick on large ones. */
function alike(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
}

/** All that an attack may ask for. */
async function inputFor(set: ImageSet): Promise<AttackInput> {
  const surrogate = await Classifier.fromGraph(plainNet(8, 3), device);
  const photographs = noise(5, set.height, 9);
  return { geometry: set, classes: 3, target: 1, surrogate, photographs };
}

describe("the registry of attacks", () => {
  it("lists every attack file under its own name", () => {
    // A file with an attack exports one; the others are what attacks share.
    const folder = new URL("../../src/attacks/", import.meta.url);
    const own = readdirSync(folder).filter((file) =>
      /: (Attack|CodePoisoning)<typeof \w+> = \{/.test(readFileSync(new URL(file, folder), "utf8")),
    );
    const registered = { ...ATTACKS, ...CODE_POISONINGS };
    expect(own.map((file) => file.replace(".ts", "")).sort()).toEqual(
      Object.keys(registered).sort(),
    );
    for (const [name, attack] of Object.entries(registered)) expect(attack.name).toBe(name);
  });

  it("has a preset of the paper for every attack on images", () => {
    for (const preset of Object.values(PRESETS)) {
      expect(Object.keys(preset).sort()).toEqual(Object.keys(ATTACKS).sort());
    }
  });
});

describe.each(Object.entries({ ...ATTACKS, ...CODE_POISONINGS }))("%s", (_, { config }) => {
  it("has a schema that refuses unknown options and describes every option", () => {
    expect(config.safeParse({ nonsense: 1 }).success).toBe(false);
    for (const [option, schema] of Object.entries(config.shape)) {
      expect((schema as { description?: string }).description, option).toBeTruthy();
    }
  });
});

/** Options under which every attack does all that it can do. */
const SWITCHES: Readonly<Record<string, readonly object[]>> = {
  wanet: [{}, { noise: 0.4 }],
  refool: [{}, { mode: "photograph" }],
  adv: [{}, { direction: "untargeted" }],
};
const configured = attacks.flatMap(([name, attack]) =>
  (SWITCHES[name] ?? [{}]).map(
    (options) => [`${name} ${JSON.stringify(options)}`, attack, options] as const,
  ),
);

describe.each(configured)("%s", (_, attack, options) => {
  const set = noise();
  const config = attack.config.parse(options);

  it.each([32, 224])("marks images of %i pixels within [0,1], the argument stays", async (side) => {
    const few = noise(2, side);
    const { images } = batchTensors(few, [0, 1]);
    const trigger = await attack.run(context(), await inputFor(few), config);
    for (const stamp of [trigger.stampTraining, trigger.stampTest, trigger.cover?.stamp]) {
      if (!stamp) continue;
      const before = images.data.slice();
      const stamped = await stamp(images, [0, 1]);
      expect(alike(images.data, before)).toBe(true);
      expect(stamped.shape).toEqual(images.shape);
      expect(alike(stamped.data, images.data)).toBe(false);
      expect(stamped.data.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
    await trigger.release?.();
  });

  it("marks an image by its position, in whatever batch it comes, alike for the same seed", async () => {
    const marked = async (positions: number[]) => {
      const trigger = await attack.run(context(4), await inputFor(set), config);
      const { images } = batchTensors(set, positions);
      const results = [trigger.stampTraining, trigger.stampTest].map(async (stamp) => {
        const { data } = await stamp(images, positions);
        const length = data.length / positions.length;
        return positions.map((at, row) => [at, data.slice(row * length, (row + 1) * length)]);
      });
      const rows = await Promise.all(results);
      await trigger.release?.();
      return rows.map((pairs) => new Map(pairs as [number, Float32Array][]));
    };
    const [whole, part] = [await marked([3, 7, 9]), await marked([9, 7])];
    for (const kind of [0, 1]) {
      for (const at of [7, 9]) expect(part[kind]!.get(at)).toEqual(whole[kind]!.get(at));
    }
  });

  it("poisons m images of the right classes, the same ones for the same seed", async () => {
    const plan = { target: 1, samples: 7, boost: 3, embed: "before-augmentation" } as const;
    const trigger = await attack.run(context(), await inputFor(set), config);
    const make = (seed: number) => {
      const random = Random.fromSeed(seed).fork(attack.name);
      return poison(set, attack.labels, trigger, plan, { random });
    };
    const poisoned = await make(5);
    expect(poisoned.indices).toEqual((await make(5)).indices);
    expect(poisoned.images.images).toEqual((await make(5)).images.images);
    expect(poisoned.indices).not.toEqual((await make(6)).indices);
    expect(new Set(poisoned.indices).size).toBe(7);
    expect(count(poisoned.images)).toBe(60);
    expect(poisoned.covers.length).toBe(Math.round(7 * (trigger.cover?.share ?? 0)));
    for (const index of ascending(60)) {
      const isMarked = poisoned.indices.includes(index);
      const isCover = poisoned.covers.includes(index);
      const isSame = imageAt(set, index).every((v, i) => v === imageAt(poisoned.images, index)[i]);
      expect(isSame).toBe(!isMarked);
      const label = set.labels[index]!;
      if (isCover) expect(label).not.toBe(1);
      else if (isMarked) expect(label === 1).toBe(attack.labels === "clean");
      expect(poisoned.images.labels[index]).toBe(isMarked && !isCover ? 1 : label);
    }
    if (attack.labels === "clean") {
      expect(poisoned.images.labels).toEqual(set.labels);
    }
    const twice = [...poisoned.indices, ...poisoned.indices];
    expect(poisoned.repeats.toSorted((a, b) => a - b)).toEqual(twice.sort((a, b) => a - b));
    await trigger.release?.();
  });
});

describe.each(attacks.filter(([, { needs }]) => needs))("%s", (_, attack) => {
  it("says what it needs when it is not there", async () => {
    const set = noise(3);
    const options = SWITCHES[attack.name]!.find(
      (given) => attack.needs!(attack.config.parse(given)).length > 0,
    )!;
    const bare = { geometry: set, classes: 3, target: 1 };
    const attempt = attack.run(context(), bare, attack.config.parse(options));
    await expect(attempt).rejects.toMatchObject({ code: "INVALID_CONFIG" });
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
    const augmentation = { flip: false };
    const settings = { random: Random.fromSeed(0), augmentation };
    const poisoned = await poison(set, "poison", trigger, POISONING.parse(plan), settings);
    expect([...poisoned.unaugmented].sort((a, b) => a - b)).toEqual(poisoned.indices);
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
    const attempt = (target: number, samples: number, labels: Attack["labels"]) =>
      poison(set, labels, trigger, POISONING.parse({ target, samples }), { random });
    await expect(attempt(3, 1, "poison")).rejects.toMatchObject({ place: "target" });
    await expect(attempt(1, 41, "poison")).rejects.toThrow(/41 images .* has 40 of other classes/);
    await expect(attempt(1, 21, "clean")).rejects.toThrow(/has 20 of the target class/);
    await expect(attempt(1, 20, "clean")).resolves.toBeDefined();
  });
});
