import { join } from "node:path";
import { z } from "zod";
import { describeHardware, describeVersions } from "../../audit/describe.ts";
import { GALLERY_SCHEMA_VERSION, type GalleryRecord } from "../../audit/gallery-record.ts";
import { makeResultFolder, writeJson } from "../../core/write-file.ts";
import { PROCEDURAL } from "../../data/training-images.ts";
import { changeInWords } from "../../report/attack-gallery.ts";
import type { RunContext } from "../../runtime/context.ts";
import { AID_OPTIONS } from "../attack-aids.ts";
import { type CommandInput, command, type Outcome } from "../command.ts";
import { drawGallery, writeGallery } from "../gallery.ts";
import { columns } from "../help.ts";
import { onDevice } from "../open.ts";
import { grouped, MACHINE_OPTIONS, TARGET } from "../options/shared.ts";
import { ATTACK } from "../slots.ts";
import { SOURCE_OPTIONS } from "../training-images.ts";

const options = z.strictObject({
  ...SOURCE_OPTIONS,
  ...grouped("Data:", {
    data: SOURCE_OPTIONS.data.default(PROCEDURAL),
    shown: z.int().min(1).max(8).default(2).describe("how many images every attack is shown on"),
  }),
  ...grouped("Output:", {
    out: z
      .string()
      .min(1)
      .default("gallery")
      .describe("folder for gallery.html, gallery.svg, gallery.png and gallery.json")
      .meta({ placeholder: "dir" }),
  }),
  ...grouped("Attacks:", {
    target: TARGET.default(0).describe("class that triggers lead to; its images are not shown"),
    ...AID_OPTIONS,
  }),
  ...MACHINE_OPTIONS,
});

const slots = {
  attack: { ...ATTACK, description: "the only attack to show (default: all)", group: "Attacks:" },
};

type Input = CommandInput<typeof options, typeof slots>;

/** Draws what every attack does to images. */
export const gallery = command({
  name: "gallery",
  summary: "draw what every attack does to images",
  description:
    "Draws every attack on the same images: clean, as it marks a training image, as it marks a test image, and the amplified difference; with the peak signal-to-noise ratio and the largest change. Adversarial perturbations need a surrogate: without one, a small network is trained first.",
  options,
  slots,
  examples: [
    { line: "antidote gallery", purpose: "every attack on images that need no download" },
    {
      line: "antidote gallery --data cifar-10-batches-bin/ --shown 3 --out attacks/",
      purpose: "on images of your own",
    },
    {
      line: "antidote gallery --attack wanet --attack.strength 0.5",
      purpose: "one attack with other options",
    },
  ],
  run: (input) => onDevice(input.options, input, (context) => run(context, input)),
});

async function run(context: RunContext, { options, methods }: Input): Promise<Outcome> {
  const started = performance.now();
  await makeResultFolder(options.out, "gallery.json");
  const drawn = await drawGallery(context, options, methods.attack);
  const files = await writeGallery(options.out, "gallery", drawn);
  const { entries: _, ...record } = drawn;
  const document: GalleryRecord = {
    schemaVersion: GALLERY_SCHEMA_VERSION,
    document: "gallery",
    files,
    ...record,
    seed: options.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  await writeJson(join(options.out, "gallery.json"), document);
  return { document, text: inWords(document), exitCode: 0 };
}

function inWords({ files, attacks, left }: GalleryRecord): string {
  const rows = attacks.map(({ attack, labels, test }) => {
    return [attack.name, [`${labels}-label`, ...changeInWords(test)].join(", ")] as const;
  });
  const missing = left.map(({ name, why }) => [name, `not shown: ${why}`] as const);
  return `${columns([...rows, ...missing])}\n\ngallery  ${files.html}`;
}
