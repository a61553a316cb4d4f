import { z } from "zod";
import { text } from "./record-parts.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const METHODS_SCHEMA_VERSION = 1;

const option = z.strictObject({
  name: text.describe("Name of the option, as in code and configuration files."),
  flag: text.describe('Flag that sets it, e.g. "--repair.steps".'),
  description: text.describe("What the option does."),
  expects: text.describe("What a value must be, in words."),
  required: z.boolean().describe("Whether a value must be given."),
  default: z.json().describe("Value if none is given; null if there is none."),
});

/** What `antidote methods --json` prints. */
export const methodsRecord = z.strictObject({
  schemaVersion: z.literal(METHODS_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("methods").describe("Kind of this document."),
  methods: z.array(
    z.strictObject({
      name: text.describe("Name of the method, as on the command line."),
      kind: text.describe(
        'What the method is: "attack", "repair", "detector", "sanitizer" (before training) or "deployment" (at inference time).',
      ),
      summary: text.describe("What it does, in one sentence."),
      source: z.strictObject({
        paper: text.describe("Title of the paper."),
        authors: text.describe("Its authors."),
        year: z.int().describe("Year of publication."),
        section: text.nullable().describe("Section, algorithm or equation; null for all of it."),
        deviations: z.array(text).describe("Every known difference from the paper."),
      }),
      options: z.array(option).describe("Its options."),
    }),
  ),
});

export type MethodsRecord = z.infer<typeof methodsRecord>;
export type MethodEntry = MethodsRecord["methods"][number];
