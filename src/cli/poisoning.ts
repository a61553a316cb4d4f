import { z } from "zod";
import type { Attack } from "../attacks/attack.ts";
import { checkPlan, POISONING, type Poisoning } from "../attacks/poison.ts";
import { PRESETS, type Preset, type PresetName } from "../attacks/presets.ts";
import { AntidoteError } from "../core/errors.ts";
import type { ImageSet } from "../data/images.ts";
import { AID_OPTIONS } from "./attack-aids.ts";
import type { Choice } from "./command.ts";
import { classIndex, grouped, TARGET } from "./options/shared.ts";

const { boost, embed } = POISONING.shape;

/** How much poison, and to what end: the same options for every attack on training data. */
export const POISON_OPTIONS = grouped("Poison:", {
  target: TARGET.optional().describe("class that the trigger shall lead to, by index or name"),
  poisoned: POISONING.shape.samples.optional().describe("number of images to poison"),
  boost: boost
    .unwrap()
    .optional()
    .describe(`${describe(boost)} (default: 1)`),
  embed: embed
    .unwrap()
    .optional()
    .describe(`${describe(embed)} (default: before-augmentation)`),
  preset: z
    .enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]])
    .optional()
    .describe(
      "the paper's number of poisoned images, boost and embedding for this data set; options beside it win",
    ),
  ...AID_OPTIONS,
});

export type PoisonOptions = z.output<z.ZodObject<typeof POISON_OPTIONS>>;

/**
 * How much to poison and to what end, from options and preset, before any image is read.
 * @throws `USAGE` if something is missing
 */
export function requestedPoison(
  { target, poisoned, boost, embed, preset }: PoisonOptions,
  { method }: Choice<Attack>,
) {
  const paper: Partial<Preset> = preset === undefined ? {} : (presetsOf(preset)[method.name] ?? {});
  const samples = poisoned ?? paper.samples;
  if (target === undefined || samples === undefined) {
    throw new AntidoteError("USAGE", "--attack needs to know what to poison, and to what end.", {
      next: "Add --poisoned N (or --preset) and --target CLASS.",
    });
  }
  return { target, samples, boost: boost ?? paper.boost, embed: embed ?? paper.embed };
}

/**
 * The same for images whose classes are known.
 * @throws `USAGE` if something is missing, `INVALID_CONFIG` if the images do not allow it
 */
export function poisoningPlan(
  options: PoisonOptions,
  attack: Choice<Attack>,
  images: ImageSet,
): Poisoning {
  const requested = requestedPoison(options, attack);
  const target = classIndex(requested.target, images.classNames);
  const plan = POISONING.parse({ ...requested, target });
  checkPlan(images, attack.method.labels, plan);
  return plan;
}

function presetsOf(name: PresetName): Readonly<Record<string, Preset>> {
  return PRESETS[name];
}

function describe(schema: z.ZodType): string {
  return schema.description ?? "";
}
