import { join } from "node:path";
import sharp from "sharp";
import { z } from "zod";
import type { Attack } from "../../attacks/attack.ts";
import { describeHardware, describeVersions } from "../../audit/describe.ts";
import { showAttack } from "../../audit/gallery.ts";
import { GALLERY_SCHEMA_VERSION, type GalleryRecord } from "../../audit/gallery-record.ts";
import { AntidoteError } from "../../core/errors.ts";
import { makeFolder, writeAtomically, writeJson, writeText } from "../../core/write-file.ts";
import { ascending, count, type ImageSet, indicesOfOthers, subset } from "../../data/images.ts";
import { PROCEDURAL, trainingImages } from "../../data/training-images.ts";
import {
  changeInWords,
  type GalleryEntry,
  galleryPage,
  gallerySvg,
} from "../../report/attack-gallery.ts";
import type { RunContext } from "../../runtime/context.ts";
import { AID_OPTIONS, openAids } from "../attack-aids.ts";
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
import { SOURCE_OPTIONS } from "../training-images.ts";

/** Images that changes are measured on, and that a surrogate is trained on where none is given. */
const MEASURED = 100;
const SURROGATE_IMAGES = 4000;

const options = z.strictObject({
  ...SOURCE_OPTIONS,
  ...grouped("Data:", {
    data: SOURCE_OPTIONS.data.default(PROCEDURAL),
    shown: z.int().min(1).max(8).default(2).describe("how many images every attack is shown on"),
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
  const { random, emit, signal } = context;
  const about = { split: "test", random: random.fork("images/test"), emit, signal } as const;
  const set = await trainingImages(options.data, { ...options, ...about });
  const target = classIndex(options.target, set.classNames);
  const images = imagesOfOthers(context, set, target, Math.max(MEASURED, options.shown));
  const named = methods.attack;
  const chosen: readonly Choice<Attack>[] = named ? [named] : everyAttack();
  const base = { geometry: set, classes: set.classNames.length, target };
  const few = someOf(context, set);
  const aids = await openAids(context, chosen, options, set, { images: few });

  const entries: (GalleryEntry & { readonly choice: Choice<Attack> })[] = [];
  const left: { name: string; why: string }[] = [];
  for (const choice of chosen) {
    const { name, labels } = choice.method;
    try {
      const input = { ...base, ...aids.input };
      const shown = await showAttack(context, configured(choice), images, input, options.shown);
      entries.push({ ...shown, name, labels, choice });
    } catch (error) {
      // One attack that needs what nobody gave, or does not fit the images, leaves the others.
      const lacking = error instanceof AntidoteError && error.code === "INVALID_CONFIG";
      if (named || !lacking) throw error;
      left.push({ name, why: `${error.message} ${error.next ?? ""}`.trim() });
    }
  }

  const files = await write(options.out, entries, left, options.data);
  const document: GalleryRecord = {
    schemaVersion: GALLERY_SCHEMA_VERSION,
    document: "gallery",
    files,
    images: {
      source: options.data,
      shown: options.shown,
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
    ...aids.record,
    left,
    seed: options.seed,
    versions: describeVersions(),
    hardware: describeHardware(context.device),
    duration: (performance.now() - started) / 1000,
  };
  await writeJson(join(options.out, "gallery.json"), document);
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
  const rows = indicesOfOthers(set, target);
  if (rows.length === 0) {
    throw new AntidoteError("TOO_FEW_IMAGES", "Every image is of the target class.", {
      place: "--target",
      next: "Choose another target: its own images are not marked at test time.",
    });
  }
  return subset(set, random.fork("gallery").sample(rows, wanted));
}

/** Enough images to train a surrogate on. */
function someOf({ random }: RunContext, set: ImageSet): ImageSet {
  if (count(set) <= SURROGATE_IMAGES) return set;
  const rows = random.fork("surrogate/images").sample(ascending(count(set)), SURROGATE_IMAGES);
  return subset(set, rows);
}

async function write(
  folder: string,
  entries: readonly GalleryEntry[],
  left: GalleryRecord["left"],
  source: string,
): Promise<GalleryRecord["files"]> {
  await makeFolder(folder);
  const files = {
    html: join(folder, "gallery.html"),
    svg: join(folder, "gallery.svg"),
    png: join(folder, "gallery.png"),
  };
  const svg = gallerySvg(entries);
  const what = source === PROCEDURAL ? "drawn images" : `images of ${source}`;
  const missing = left.map(({ name, why }) => ` Not shown: ${name}. ${why}`).join("");
  const about = `What attacks do to the same ${what}. PSNR and largest change are those of test images. Attacks exist here to measure defences.${missing}`;
  await writeText(files.svg, svg);
  await writeText(files.html, galleryPage(svg, about));
  const png = await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
  await writeAtomically(files.png, [{ offset: 0, bytes: png }]);
  return files;
}

function inWords({ files, attacks, left }: GalleryRecord): string {
  const rows = attacks.map(({ attack, labels, test }) => {
    return [attack.name, [`${labels}-label`, ...changeInWords(test)].join(", ")] as const;
  });
  const missing = left.map(({ name, why }) => [name, `not shown: ${why}`] as const);
  return `${columns([...rows, ...missing])}\n\ngallery  ${files.html}`;
}
