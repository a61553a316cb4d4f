import { z } from "zod";
import {
  aids,
  type Frozen,
  hardware,
  method,
  natural,
  share,
  text,
  versions,
} from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const GALLERY_SCHEMA_VERSION = 1;

const change = z.strictObject({
  psnr: z
    .number()
    .nullable()
    .describe(
      "Peak signal-to-noise ratio in dB, mean over the images that changed; null if none did.",
    ),
  largest: share.describe("Largest change of a value, in units of [0,1], over all images."),
  changed: share.describe("Share of the values that changed, mean over images."),
});

/** What `antidote gallery --json` prints, and what `gallery.json` holds. */
export const galleryRecord = z.strictObject({
  schemaVersion: z.literal(GALLERY_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("gallery").describe("Kind of this document."),
  files: z
    .strictObject({
      html: text.describe("The gallery as a page."),
      svg: text.describe("The gallery as a drawing."),
      png: text.describe("The same as pixels."),
    })
    .describe("Where the gallery was written."),
  images: z
    .strictObject({
      source: text.describe('Path as the user gave it, or "procedural".'),
      shown: natural.describe("Number of images in the pictures."),
      measured: natural.describe("Number of images that changes are measured on."),
      height: natural.describe("Height of every image in pixels."),
      width: natural.describe("Width of every image in pixels."),
    })
    .describe("The images."),
  ...aids,
  attacks: z
    .array(
      z.strictObject({
        attack: method.describe("The attack."),
        labels: z.enum(["poison", "clean"]).describe("Whether it changes labels."),
        training: change.describe("What it does to a training image."),
        test: change.describe("What it does to a test image."),
        amplified: z.number().min(1).describe("Factor by which the pictures show differences."),
      }),
    )
    .describe("Every attack in the gallery."),
  left: z
    .array(
      z.strictObject({ name: text.describe("The attack."), why: text.describe("The reason.") }),
    )
    .describe("Attacks that could not be shown."),
  seed: z.int().describe("Root seed: the same seed, the same pictures."),
  versions: versions.describe("Software that this ran with."),
  hardware: hardware.describe("Machine that this ran on."),
  duration: z.number().min(0).describe("Seconds from start to end."),
});

export type GalleryRecord = Frozen<z.infer<typeof galleryRecord>>;
