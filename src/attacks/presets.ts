import type { Poisoning } from "./poison.ts";

/** How much poison an experiment uses. */
export type Preset = Pick<Poisoning, "samples" | "boost" | "embed">;

const late = (samples: number, boost = 1): Preset => ({
  samples,
  boost,
  embed: "after-augmentation",
});

/**
 * The amounts of "Pick your Poison" (Tables II and III, Figures 5 and 6), by data set and attack. The marks are
 * put on augmented images as in the released code: so few poisoned images suffice only then.
 */
export const PRESETS = {
  cifar10: {
    badnets: late(50),
    "c-badnets": late(750),
    "adaptive-patch": late(50),
    "adaptive-blend": late(50),
    adv: late(500),
    refool: late(500),
    wanet: late(500),
    tsb: late(1000),
  },
  imagenet: {
    badnets: late(4000),
    "c-badnets": late(500, 50),
    "adaptive-patch": late(4000),
    "adaptive-blend": late(4000),
    adv: late(500, 50),
    refool: late(500, 50),
    wanet: late(500, 50),
    tsb: late(4000),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Preset>>>>;

export type PresetName = keyof typeof PRESETS;
