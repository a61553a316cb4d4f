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
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import { openAids } from "./attack-aids.ts";
import { describeMethod } from "./command.ts";
import { classIndex } from "./options/shared.ts";
import { type PoisonOptions, poisonImages, poisoningPlan } from "./poisoning.ts";
import { byKind, type TrainingAttack } from "./slots.ts";

/** What an attack does to a training run. */
export interface Intrusion {
  /** What the network is trained on. */
  readonly images: ImageSet;
  /** Positions of those that every epoch shows once more, one entry for each further time. */
  readonly repeats: readonly number[];
  /** Positions of those that training must not augment. */
  readonly unaugmented: ReadonlySet<number> | undefined;
  /** What becomes of the trained network: something else if the attack owns the training. */
  finish(trained: Classifier): Promise<Classifier>;
  /** How records state it. */
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
  if (!attack) return manifest ? alreadyPoisoned(images, manifest) : untouched(images);
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
    const made = await poisonImages(context, images, onImages, plan, aids, augmentation);
    const { indices, covers } = made;
    const method = describeMethod(onImages);
    const poison = { attack: method, ...aids.record, ...plan, indices, covers };
    return {
      ...untouched(made.images),
      repeats: made.repeats,
      unaugmented: made.unaugmented,
      record: { poison, codePoisoning: null },
    };
  }
  const { method, config } = onTraining!;
  const target = classIndex(options.target!, images.classNames);
  const aids = await openFor();
  const about = { images, classes: images.classNames.length, target, augmentation };
  const poisoning = await method.run(context, { ...about, ...aids.input }, config);
  return {
    ...untouched(images),
    async finish(trained) {
      try {
        return await poisoning.train(trained);
      } finally {
        await poisoning.trigger.release?.();
      }
    },
    record: {
      poison: null,
      codePoisoning: { attack: describeMethod(onTraining!), ...aids.record, target },
    },
  };
}

function untouched(images: ImageSet): Intrusion {
  return {
    images,
    repeats: [],
    unaugmented: undefined,
    finish: async (trained) => trained,
    record: { poison: null, codePoisoning: null },
  };
}

/** Images that `antidote poison` wrote. */
function alreadyPoisoned(images: ImageSet, manifest: PoisonRecord): Intrusion {
  assertAsWritten(images, manifest);
  return {
    ...untouched(images),
    unaugmented: unaugmentedRows(images, manifest),
    record: { poison: poisonOf(manifest), codePoisoning: null },
  };
}
