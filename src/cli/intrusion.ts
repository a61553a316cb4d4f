import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AttackInput } from "../attacks/attack.ts";
import { trainSurrogate } from "../attacks/surrogate.ts";
import { openModel } from "../audit/open.ts";
import { readManifest, unaugmentedRows } from "../audit/poisoned-folder.ts";
import type { TrainRecord } from "../audit/train-record.ts";
import type { AugmentOptions } from "../data/augment.ts";
import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { newModelFile } from "../models/new-file.ts";
import { writeOnnxFile } from "../onnx/file.ts";
import type { RunContext } from "../runtime/context.ts";
import { needsOf, openNeeds } from "./attack-needs.ts";
import { describeMethod } from "./command.ts";
import { classIndex } from "./options/shared.ts";
import { type PoisonOptions, poisonImages, poisoningPlan } from "./poisoning.ts";
import { byKind, type TrainingAttack } from "./slots.ts";

/** What an attack does to a training run. */
export interface Intrusion {
  /** What the network is trained on. */
  readonly images: ImageSet;
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
  clean: ImageSet,
  augmentation: AugmentOptions,
): Promise<Intrusion> {
  const { onImages, onTraining } = byKind(attack);
  const extras = attack ? await extrasFor(context, attack, options, clean) : {};
  if (onImages) {
    const plan = poisoningPlan(options, onImages, clean);
    const made = await poisonImages(context, clean, onImages, plan, extras, augmentation);
    const { images, unaugmented, indices, covers } = made;
    const poison = { attack: describeMethod(onImages), ...plan, indices, covers };
    return { images, unaugmented, finish: unchanged, record: { poison, codePoisoning: null } };
  }
  const manifest = await readManifest(options.data);
  const untouched = {
    images: clean,
    unaugmented: manifest && unaugmentedRows(clean, manifest),
    finish: unchanged,
    record: { poison: null, codePoisoning: null },
  };
  if (!onTraining || options.target === undefined) return untouched;
  const target = classIndex(options.target, clean.classNames);
  return {
    ...untouched,
    async finish(trained) {
      const about = { images: clean, classes: clean.classNames.length, target, ...extras };
      const { method, config } = onTraining;
      const { model, trigger } = await method.run(context, { model: trained, ...about }, config);
      await trigger.release?.();
      return model;
    },
    record: { poison: null, codePoisoning: { attack: describeMethod(onTraining), target } },
  };
}

async function unchanged(trained: Classifier): Promise<Classifier> {
  return trained;
}

/** What the attack asks for: as options name it, or a surrogate trained here and kept beside the model. */
async function extrasFor(
  context: RunContext,
  attack: TrainingAttack,
  options: IntrusionOptions,
  clean: ImageSet,
): Promise<Pick<AttackInput, "surrogate" | "photographs">> {
  const given = await openNeeds(context, attack, options, clean);
  if (given.surrogate || !needsOf(attack).includes("surrogate")) return given;
  const kept = join(options.out, "surrogate.onnx");
  if (existsSync(kept)) {
    return { ...given, surrogate: (await openModel(context.device, kept)).classifier };
  }
  const checkpoint = join(options.out, "surrogate.safetensors");
  const message = `no --surrogate is given: a small one is trained first and kept as ${kept}`;
  context.emit({ kind: "note", stage: "train", message });
  const surrogate = await trainSurrogate(context, clean, checkpoint);
  const metadata = { names: JSON.stringify(clean.classNames) };
  await writeOnnxFile(kept, newModelFile(kept, surrogate, metadata));
  return { ...given, surrogate };
}
