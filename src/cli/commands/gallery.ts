import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { z } from "zod";
import type { Attack, AttackInput } from "../../attacks/attack.ts";
import { trainSurrogate } from "../../attacks/surrogate.ts";
import { describeHardware, describeVersions } from "../../audit/describe.ts";
import { showAttack } from "../../audit/gallery.ts";
import { GALLERY_SCHEMA_VERSION, type GalleryRecord } from "../../audit/gallery-record.ts";
import { AntidoteError } from "../../core/errors.ts";
import { writeAtomically } from "../../core/write-file.ts";
import { count, type ImageSet, subset } from "../../data/images.ts";
import { stratified } from "../../data/split.ts";
import { type GalleryEntry, galleryPage, gallerySvg } from "../../report/attack-gallery.ts";
import type { RunContext } from "../../runtime/context.ts";
import { NEEDS, needsOf, openNeeds } from "../attack-needs.ts";
import {
  type Choice,
  type CommandInput,
  command,
  configured,
  describeMethod,
  type Outcome,
} from "../command.ts";
import { columns } from "../help.ts";
import { onDevice } from "../open.ts";
import { classIndex, grouped, MACHINE_OPTIONS, TARGET } from "../options/shared.ts";
import { ATTACK } from "../slots.ts";
import { PROCEDURAL, SOURCE_OPTIONS, trainingImages } from "../training-images.ts";

/** Images that changes are measured on, and that a surrogate is trained on where none is given. */
const MEASURED = 100;
const SURROGATE_IMAGES = 4000;

const options = z.strictObject({
  ...SOURCE_OPTIONS,
  ...grouped("Data:", {
    data: SOURCE_OPTIONS.data.default(PROCEDURAL),
    images: z.int().min(1).max(8).default(2).describe("how many images every attack is shown on"),
  }),
  ...grouped("Output:", {
    out: z
      .string()
      .default("gallery")
      .describe("folder for gallery.html, gallery.svg, gallery.png and gallery.json")
      .meta({ placeholder: "dir" }),
  }),
  ...grouped("Attacks:", {
    target: TARGET.default(0).describe("class that triggers lead to; its images are not shown"),
    ...NEEDS,
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
    "Draws every attack on the same images: clean, as it marks a training image, as it marks a test image, and the amplified difference; with the peak signal-to-noise ratio and the largest change. Adversarial perturbations need a surrogate: without one, a small network is trained for a few seconds.",
  options,
  slots,
  examples: [
    { line: "antidote gallery", purpose: "every attack on images that need no download" },
    {
      line: "antidote gallery --data cifar-10-batches-bin/ --images 3 --out attacks/",
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
  const { random, emit, signal } = context;
  const about = { split: "test", random: random.fork("images/test"), emit, signal } as const;
  const set = await trainingImages(options.data, { ...options, ...about });
  const target = classIndex(options.target, set.classNames);
  const images = imagesOfOthers(context, set, target, Math.max(MEASURED, options.images));
  const named = methods.attack;
  const chosen: readonly Choice<Attack>[] = named ? [named] : everyAttack();
  const base = { geometry: set, classes: set.classNames.length, target };
  const extras = await extrasFor(context, chosen, options, set);

  const entries: (GalleryEntry & { readonly choice: Choice<Attack> })[] = [];
  const left: { name: string; why: string }[] = [];
  for (const choice of chosen) {
    const { name, labels } = choice.method;
    try {
      const input = { ...base, ...extras };
      const shown = await showAttack(context, configured(choice), images, input, options.images);
      entries.push({ ...shown, name, labels, choice });
    } catch (error) {
      // One attack that needs what nobody gave, or does not fit the images, leaves the others.
      const lacking = error instanceof AntidoteError && error.code === "INVALID_CONFIG";
      if (named || !lacking) throw error;
      left.push({ name, why: `${error.message} ${error.next ?? ""}`.trim() });
    }
  }

  const files = await write(options.out, entries, options.data);
  const document: GalleryRecord = {
    schemaVersion: GALLERY_SCHEMA_VERSION,
    document: "gallery",
    files,
    images: {
      source: options.data,
      shown: options.images,
      measured: count(images),
      height: set.height,
      width: set.width,
    },
    attacks: entries.map(({ choice, labels, training, test, amplified }) => ({
      attack: describeMethod(choice),
      labels,
      training,
      test,
      amplified,
    })),
    left,
    seed: options.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  await writeText(join(options.out, "gallery.json"), `${JSON.stringify(document, null, 2)}\n`);
  return { document, text: inWords(document), exitCode: 0 };
}

function everyAttack(): Choice<Attack>[] {
  return Object.values(ATTACK.methods).map((method) => ({
    method,
    config: method.config.parse({}),
  }));
}

/** Images of other classes than the target. */
function imagesOfOthers(
  { random }: RunContext,
  set: ImageSet,
  target: number,
  wanted: number,
): ImageSet {
  const rows = [...set.labels.keys()].filter((row) => set.labels[row] !== target);
  if (rows.length === 0) {
    throw new AntidoteError("TOO_FEW_IMAGES", "Every image is of the target class.", {
      place: "--target",
      next: "Choose another target: its own images are not marked at test time.",
    });
  }
  return subset(set, random.fork("gallery").sample(rows, wanted));
}

async function extrasFor(
  context: RunContext,
  chosen: readonly Choice<Attack>[],
  options: Input["options"],
  set: ImageSet,
): Promise<Pick<AttackInput, "surrogate" | "photographs">> {
  const asking = chosen.find((choice) => needsOf(choice).length > 0);
  const given = asking ? await openNeeds(context, asking, options, set) : {};
  if (given.surrogate || !asking || !needsOf(asking).includes("surrogate")) return given;
  const message = "no --surrogate is given: a small one is trained first";
  context.emit({ kind: "note", stage: "gallery", message });
  const few =
    count(set) <= SURROGATE_IMAGES
      ? set
      : subset(set, stratified(set, SURROGATE_IMAGES, context.random.fork("surrogate/images")));
  return { ...given, surrogate: await trainSurrogate(context, few) };
}

async function write(
  folder: string,
  entries: readonly GalleryEntry[],
  source: string,
): Promise<GalleryRecord["files"]> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new AntidoteError("OUTPUT_NOT_WRITABLE", "The folder cannot be made.", {
      place: folder,
      next: "Choose a folder that you may write to.",
      cause,
    });
  });
  const files = {
    html: join(folder, "gallery.html"),
    svg: join(folder, "gallery.svg"),
    png: join(folder, "gallery.png"),
  };
  const svg = gallerySvg(entries);
  const what = source === PROCEDURAL ? "drawn images" : `images of ${source}`;
  const about = `Every attack with its default options on the same ${what}. PSNR and largest change are those of test images. Attacks are shown to measure defences.`;
  await writeText(files.svg, svg);
  await writeText(files.html, galleryPage(svg, about));
  const png = await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
  await writeAtomically(files.png, [{ offset: 0, bytes: png }]);
  return files;
}

function writeText(path: string, text: string): Promise<void> {
  return writeAtomically(path, [{ offset: 0, bytes: new TextEncoder().encode(text) }]);
}

function inWords({ files, attacks, left }: GalleryRecord): string {
  const rows = attacks.map(({ attack, labels, test }) => {
    const psnr = test.psnr === null ? "no change" : `PSNR ${test.psnr.toFixed(1)} dB`;
    const largest = `largest change ${Math.round(255 * test.largest)}/255`;
    return [attack.name, `${labels}-label, ${psnr}, ${largest}`] as const;
  });
  const missing = left.map(({ name, why }) => [name, `not shown: ${why}`] as const);
  return `${columns([...rows, ...missing])}\n\ngallery  ${files.html}`;
}
