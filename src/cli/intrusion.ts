import type { PoisonRecord } from "../audit/poison-record.ts";
import {
  assertAsWritten,
  poisonOf,
  readManifest,
  unaugmentedRows,
} from "../audit/poisoned-folder.ts";
import type { TrainRecord } from "../audit/train-record.ts";
import { AntidoteError } from "../core/errors.ts";
import type { AugmentOptions } from "../data/augment.ts";
import type { ImageSet } from "../data/images.ts";
import { type Collected, collect, untouched } from "../games/collect.ts";
import type { RunContext } from "../runtime/context.ts";
import { openAids } from "./attack-aids.ts";
import { configured, describeMethod } from "./command.ts";
import { classIndex } from "./options/shared.ts";
import { type PoisonOptions, poisoningPlan } from "./poisoning.ts";
import { byKind, type TrainingAttack } from "./slots.ts";

/** What an attack does to a training run, and how records state it. */
export interface Intrusion extends Collected {
  readonly record: Pick<TrainRecord, "poison" | "codePoisoning">;
}

type IntrusionOptions = PoisonOptions & { readonly data: string; readonly out: string };

/** Carries out an attack as far as that is possible before training; without one, images stay as they are. */
export async function intrusionInto(
  context: RunContext,
  attack: TrainingAttack | undefined,
  options: IntrusionOptions,
  images: ImageSet,
  augmentation: AugmentOptions,
): Promise<Intrusion> {
  const manifest = await readManifest(options.data);
  if (!attack) return manifest ? alreadyPoisoned(images, manifest) : unharmed(images);
  if (manifest) {
    throw new AntidoteError("USAGE", "The images are poisoned already.", {
      place: options.data,
      next: "Leave out --attack, or name clean images.",
    });
  }
  const { onImages, onTraining } = byKind(attack);
  const openFor = () =>
    openAids(context, [attack], options, images, { images, folder: options.out });
  if (onImages) {
    const plan = poisoningPlan(options, onImages, images);
    const aids = await openFor();
    const attacker = { attack: configured(onImages), plan };
    const collected = await collect(context, images, attacker, aids.input, augmentation);
    const { indices, covers } = collected;
    const method = describeMethod(onImages);
    const poison = { attack: method, ...aids.record, ...plan, indices, covers };
    return { ...collected, record: { poison, codePoisoning: null } };
  }
  const target = classIndex(options.target!, images.classNames);
  const aids = await openFor();
  const attacker = { attack: configured(onTraining!), target };
  const collected = await collect(context, images, attacker, aids.input, augmentation);
  const codePoisoning = { attack: describeMethod(onTraining!), ...aids.record, target };
  return { ...collected, record: { poison: null, codePoisoning } };
}

/** No attack. */
function unharmed(images: ImageSet): Intrusion {
  return { ...untouched(images), record: { poison: null, codePoisoning: null } };
}

/** Images that `antidote poison` wrote. */
function alreadyPoisoned(images: ImageSet, manifest: PoisonRecord): Intrusion {
  assertAsWritten(images, manifest);
  return {
    ...unharmed(images),
    unaugmented: unaugmentedRows(images, manifest),
    record: { poison: poisonOf(manifest), codePoisoning: null },
  };
}
