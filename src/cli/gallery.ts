import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import type { z } from "zod";
import type { Attack } from "../attacks/attack.ts";
import { showAttack } from "../audit/gallery.ts";
import type { GalleryRecord } from "../audit/gallery-record.ts";
import { AntidoteError } from "../core/errors.ts";
import { makeFolder, writeAtomically, writeText } from "../core/write-file.ts";
import { ascending, count, type ImageSet, indicesOfOthers, subset } from "../data/images.ts";
import { PROCEDURAL, trainingImages } from "../data/training-images.ts";
import { type GalleryEntry, galleryPage, gallerySvg } from "../report/attack-gallery.ts";
import { pixelsOf } from "../report/pixels.ts";
import type { RunContext } from "../runtime/context.ts";
import { type AID_OPTIONS, openAids } from "./attack-aids.ts";
import { type Choice, configured, describeMethod } from "./command.ts";
import { classIndex } from "./options/shared.ts";
import { ATTACK } from "./slots.ts";
import type { SOURCE_OPTIONS } from "./training-images.ts";

/** Images that changes are measured on, and that a surrogate is trained on where none is given. */
const MEASURED = 100;
const SURROGATE_IMAGES = 4000;

/** What a gallery of attacks is drawn from. */
export type GalleryRequest = z.output<z.ZodObject<typeof SOURCE_OPTIONS & typeof AID_OPTIONS>> & {
  readonly target: string | number;
  /** How many images every attack is shown on. */
  readonly shown: number;
};

export interface Gallery
  extends Pick<GalleryRecord, "images" | "attacks" | "left" | "surrogate" | "photographs"> {
  readonly entries: readonly GalleryEntry[];
}

/**
 * Draws what attacks do to images; an attack that cannot be drawn leaves the others, unless it was named.
 * @param named the only attack to draw; all by default
 * @throws the errors of `trainingImages`, `openAids` and the attack that was named
 */
export async function drawGallery(
  context: RunContext,
  request: GalleryRequest,
  named?: Choice<Attack>,
): Promise<Gallery> {
  const { random, emit, signal } = context;
  const { data, shown } = request;
  const about = { split: "test", random: random.fork("images/test"), emit, signal } as const;
  const set = await trainingImages(data, { ...request, ...about });
  const target = classIndex(request.target, set.classNames);
  const images = imagesOfOthers(context, set, target, Math.max(MEASURED, shown));
  const chosen: readonly Choice<Attack>[] = named ? [named] : everyAttack();
  const base = { geometry: set, classes: set.classNames.length, target };
  const few = someOf(context, set);
  const aids = await openAids(context, chosen, request, set, { images: few });

  const entries: (GalleryEntry & { readonly choice: Choice<Attack> })[] = [];
  const left: { name: string; why: string }[] = [];
  for (const choice of chosen) {
    const { name, labels } = choice.method;
    try {
      const input = { ...base, ...aids.input };
      const entry = await showAttack(context, configured(choice), images, input, shown);
      entries.push({ ...entry, name, labels, choice });
    } catch (error) {
      // One attack that needs what nobody gave, or does not fit the images, leaves the others.
      const lacking = error instanceof AntidoteError && error.code === "INVALID_CONFIG";
      if (named || !lacking) throw error;
      left.push({ name, why: `${error.message} ${error.next ?? ""}`.trim() });
    }
  }
  return {
    ...{ entries, left },
    images: {
      ...{ source: data, shown, measured: count(images) },
      ...{ height: set.height, width: set.width },
    },
    attacks: entries.map(({ choice, labels, training, test, amplified }) => ({
      ...{ attack: describeMethod(choice), labels, training, test, amplified },
    })),
    ...aids.record,
  };
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

/**
 * Writes a gallery as a page, a drawing and pixels.
 * @param name of the files, without an ending
 * @throws `OUTPUT_NOT_WRITABLE`
 */
export async function writeGallery(
  folder: string,
  name: string,
  { entries, left, images }: Gallery,
): Promise<GalleryRecord["files"]> {
  await makeFolder(folder);
  const files = {
    html: join(folder, `${name}.html`),
    svg: join(folder, `${name}.svg`),
    png: join(folder, `${name}.png`),
  };
  const svg = gallerySvg(entries);
  const what = images.source === PROCEDURAL ? "drawn images" : `images of ${images.source}`;
  const missing = left.map(({ name, why }) => ` Not shown: ${name}. ${why}`).join("");
  const about = `What attacks do to the same ${what}. PSNR and largest change are those of test images. Attacks exist here to measure defences.${missing}`;
  await writeText(files.svg, svg);
  await writeText(files.html, galleryPage(svg, about));
  await writeAtomically(files.png, [{ offset: 0, bytes: await pixelsOf(svg) }]);
  return files;
}

/** What every attack changes, a line each. */
export function galleryCsv({ attacks }: Pick<Gallery, "attacks">): string {
  const rows = attacks.flatMap(({ attack, labels, training, test }) =>
    Object.entries({ training, test }).map(([images, change]) => ({
      ...{ attack: attack.name, labels, images, ...change },
    })),
  );
  return stringify(rows, { header: true });
}
