import { z } from "zod";
import { AntidoteError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { sharedNames } from "../../data/classes.ts";
import { PREPROCESSING_NAMES } from "../../models/preprocessing.ts";

/*
 * Options that mean the same in every command. A command spreads the groups that it needs into its schema.
 */

/** The labelled images, how they reach the model, and what its classes are called. */
export const IMAGE_OPTIONS = grouped("Images:", {
  images: z
    .string()
    .describe(
      "folder of images: one folder per class, labels.csv, or classes in file names; or CIFAR-10 binary or idx files",
    )
    .meta({ placeholder: "path" }),
  labels: z
    .string()
    .optional()
    .describe(
      "table of file names and labels, if it does not lie in the folder: CSV, or JSON Lines",
    )
    .meta({ placeholder: "file" }),
  classes: z
    .string()
    .optional()
    .describe("class names in label order: a text file with one per line, or JSON")
    .meta({ placeholder: "file" }),
  resize: z
    .union([z.int().min(1), z.literal("stretch")])
    .optional()
    .describe(
      "pixels to which the shorter side of pictures in folders is brought before the centre is cut out, or \"stretch\" (default: as the model's folder says, else the model's size)",
    )
    .meta({ placeholder: "n" }),
  preprocessing: z
    .enum(PREPROCESSING_NAMES)
    .optional()
    .describe(
      "what the model expects of an image in [0,1], by a usual name; this or the four options below end the automatic choice",
    ),
  mean: channelValues().optional().describe("subtracted from every channel, for pixels in [0,1]"),
  std: channelValues(z.number().gt(0))
    .optional()
    .describe("divided by, after the mean, for pixels in [0,1]"),
  range: z.enum(["0-1", "0-255"]).optional().describe("scale of the pixels that the model expects"),
  channels: z
    .enum(["rgb", "bgr"])
    .optional()
    .describe("order of the colours that the model expects"),
});

/** For who needs no true labels. */
export const UNLABELLED_OPTION = grouped("Images:", {
  unlabelled: z
    .boolean()
    .default(false)
    .describe(
      "the images bear no labels, whatever their folders: the model's own answers stand for them, so that accuracy means agreement with it",
    ),
});

/** What a model file may leave open. */
export const MODEL_OPTIONS = grouped("Model:", {
  size: z
    .union([z.int().min(1), z.string().regex(/^\d+(x\d+)?$/)])
    .transform((size) => {
      const [height, width = height] = String(size).split("x").map(Number) as [number, number?];
      return { height, width };
    })
    .optional()
    .describe("image size, if the file leaves it open, e.g. 224 or 224x160 (height first)")
    .meta({ placeholder: "size", expects: "a size such as 224, or 224x160 (height first)" }),
  output: z
    .string()
    .optional()
    .describe("output with the class scores, if the file has several that may hold them")
    .meta({ placeholder: "name" }),
});

/** More than any processor has; a hundred thousand occupy one for minutes before anything is computed. */
export const MOST_THREADS = 1024;

/** Where to compute, and from which seed. */
export const MACHINE_OPTIONS = grouped("Machine:", {
  device: z.enum(["cpu", "webgpu"]).default("cpu").describe("where to compute"),
  threads: z
    .int()
    .min(1)
    .max(MOST_THREADS)
    .optional()
    .describe("threads to compute with (default: all processors)"),
  seed: z
    .int()
    .min(0)
    .default(0)
    .describe("seed of every random choice: the same seed, the same result"),
});

export type ImageOptions = z.output<z.ZodObject<typeof IMAGE_OPTIONS>>;
export type UnlabelledOption = Partial<z.output<z.ZodObject<typeof UNLABELLED_OPTION>>>;
export type ModelOptions = z.output<z.ZodObject<typeof MODEL_OPTIONS>>;
export type MachineOptions = z.output<z.ZodObject<typeof MACHINE_OPTIONS>>;

/** A class, as a user names it; see `classIndex`. */
export const TARGET = z
  .union([z.int().min(0), z.string()])
  .meta({ placeholder: "class", expects: "the index or the name of a class" });

/** The index of the class that `TARGET` names. Throws `INVALID_CONFIG` if there is no such class, or several. */
export function classIndex(target: string | number, names: readonly string[]): number {
  if (typeof target === "number") {
    if (target < names.length) return target;
    throw new AntidoteError("INVALID_CONFIG", `There is no class ${target}.`, {
      place: "--target",
      next: `Choose a class from 0 to ${names.length - 1}.`,
    });
  }
  const bearers = sharedNames(names).get(target) ?? [];
  if (bearers.length > 0) {
    throw new AntidoteError(
      "INVALID_CONFIG",
      `${bearers.length} classes are called "${target}": ${bearers.join(", ")}.`,
      { place: "--target", next: "Give the index of the class." },
    );
  }
  const index = names.indexOf(target);
  if (index >= 0) return index;
  const similar = nearest(target, names);
  throw new AntidoteError("INVALID_CONFIG", `There is no class called "${target}".`, {
    place: "--target",
    next: similar ? `Did you mean ${similar}?` : `Give an index from 0 to ${names.length - 1}.`,
  });
}

function channelValues(value: z.ZodNumber = z.number()) {
  return z
    .union([value, z.array(value).min(1).max(3)])
    .transform((values) => [values].flat())
    .meta({ placeholder: "r,g,b", expects: "one number, or three separated by commas" });
}

/** Puts options under a heading of help texts. */
export function grouped<Shape extends Record<string, z.ZodType>>(
  group: string,
  shape: Shape,
): Shape {
  const entries = Object.entries(shape).map(([key, schema]) => [
    key,
    schema.meta({ ...schema.meta(), group }),
  ]);
  return Object.fromEntries(entries) as Shape;
}
