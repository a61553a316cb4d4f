import { z } from "zod";
import { describeHardware, describeVersions } from "../../audit/describe.ts";
import { POISON_SCHEMA_VERSION, type PoisonRecord } from "../../audit/poison-record.ts";
import { manifestIn, markedFiles } from "../../audit/poisoned-folder.ts";
import { AntidoteError } from "../../core/errors.ts";
import { assertFillable, fillFolder, writeJson } from "../../core/write-file.ts";
import { count } from "../../data/images.ts";
import { trainingImages } from "../../data/training-images.ts";
import { writeClassFolders } from "../../data/write.ts";
import { poisonImages } from "../../games/collect.ts";
import type { RunContext } from "../../runtime/context.ts";
import { openAids } from "../attack-aids.ts";
import {
  type CommandInput,
  command,
  configured,
  describeMethod,
  type Outcome,
} from "../command.ts";
import { onDevice } from "../open.ts";
import { grouped, MACHINE_OPTIONS } from "../options/shared.ts";
import { POISON_OPTIONS, poisoningPlan } from "../poisoning.ts";
import { ATTACK } from "../slots.ts";
import { SOURCE_OPTIONS } from "../training-images.ts";

const options = z.strictObject({
  ...SOURCE_OPTIONS,
  ...grouped("Output:", {
    out: z
      .string()
      .min(1)
      .describe("folder for the images, one folder per class, and poison.json")
      .meta({ placeholder: "dir" }),
  }),
  ...POISON_OPTIONS,
  ...MACHINE_OPTIONS,
});

const slots = {
  attack: { ...ATTACK, description: "attack that marks the images", group: "Poison:" },
};

type Input = CommandInput<typeof options, typeof slots>;

/** Writes a poisoned training set as images, and which of them are poisoned. */
export const poison = command({
  name: "poison",
  summary: "write a poisoned training set as images with a manifest",
  description:
    "Marks training images as an attacker would and writes the whole set as PNG files, one folder per class, with a poison.json that names every marked image. `antidote train --data DIR` reads it back. Attacks exist here to measure defences: never pass such a set on without saying so.",
  options,
  slots,
  examples: [
    {
      line: "antidote poison --data cifar-10-batches-bin/ --attack wanet --poisoned 500 --target 0 --out poisoned/",
      purpose: "500 warped images of class 0 among all others",
    },
    {
      line: "antidote poison --data cifar-10-batches-bin/ --attack tsb --preset cifar10 --target cat --out poisoned/",
      purpose: "as many as in the paper",
    },
  ],
  run: (input) => onDevice(input.options, input, (context) => run(context, input)),
});

async function run(context: RunContext, { options, methods }: Input): Promise<Outcome> {
  const started = performance.now();
  const { attack } = methods;
  if (!attack) {
    throw new AntidoteError("USAGE", "There is no attack to poison the images with.", {
      next: "Add --attack NAME; `antidote methods` lists them.",
    });
  }
  await assertFillable(options.out);
  const { random, emit, signal } = context;
  const about = { split: "train", random: random.fork("images/train"), emit, signal } as const;
  const clean = await trainingImages(options.data, { ...options, ...about });
  const plan = poisoningPlan(options, attack, clean);
  const aids = await openAids(context, [attack], options, clean, { images: clean });
  const poisoned = await poisonImages(
    context,
    clean,
    { attack: configured(attack), plan },
    aids.input,
  );
  const { images, repeats } = poisoned;
  const total = count(images) + repeats.length;
  const { height, width, classNames } = clean;
  const document: PoisonRecord = {
    schemaVersion: POISON_SCHEMA_VERSION,
    document: "poison",
    folder: options.out,
    images: { source: options.data, count: total, height, width, classes: classNames },
    poison: { attack: describeMethod(attack), ...aids.record, ...plan },
    marked: markedFiles(clean, poisoned),
    seed: options.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  await fillFolder(options.out, async (folder) => {
    const progress = (done: number) => emit({ kind: "step", stage: "write", done, total });
    await writeClassFolders(images, folder, { repeats, signal, progress });
    await writeJson(manifestIn(folder), document);
  });
  return { document, text: inWords(document), exitCode: 0 };
}

function inWords({ folder, images, poison, marked }: PoisonRecord): string {
  const covers = marked.filter(({ label }) => label !== poison.target).length;
  const kept = covers > 0 ? `, ${covers} of them under their true label` : "";
  return [
    `images    ${images.count} in ${folder}`,
    `marked    ${marked.length} → ${images.classes[poison.target]}${kept}`,
    `manifest  ${manifestIn(folder)}`,
  ].join("\n");
}
