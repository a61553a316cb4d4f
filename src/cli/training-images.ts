import { z } from "zod";
import { PROCEDURAL } from "../data/training-images.ts";
import { grouped } from "./options/shared.ts";

/** Where images to train on come from. */
export const SOURCE_OPTIONS = grouped("Data:", {
  data: z
    .string()
    .describe(
      `training images: a folder with one folder per class, CIFAR-10 or idx files, or "${PROCEDURAL}"`,
    )
    .meta({ placeholder: "path" }),
  size: z
    .int()
    .min(8)
    .default(32)
    .describe("side to which images in folders are brought, in pixels"),
  count: z.int().min(10).default(10_000).describe(`how many ${PROCEDURAL} images to draw`),
});
