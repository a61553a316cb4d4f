import { z } from "zod";
import { galleryRecord } from "../../audit/gallery-record.ts";
import { type Frozen, natural, text } from "../../audit/record-parts.ts";
import { partRecord } from "../grid/documents.ts";
import { trialFailure } from "../grid/trial-record.ts";
import { SCALE_NAMES } from "./scales.ts";

/** Raised whenever a field of this document is added, removed or changes its meaning. */
export const REPRODUCE_SCHEMA_VERSION = 2;

const low = z.number().nullable().describe("Lower end of the 95 % interval; null without one.");
const high = z.number().nullable().describe("Upper end of the 95 % interval; null without one.");
const n = natural.describe("Number of models that the number is made of.");
const against = natural.optional().describe("Number of clean models that they are compared with.");

const about = {
  name: text.describe("As on the command line."),
  title: text.describe("What it shows."),
  files: z.array(text).describe("Files that it was written to."),
};
const notes = z.array(text).describe("What a reader must know.");

const cell = z.union([
  text,
  z.strictObject({
    as: z
      .enum(["share", "auc", "option"])
      .describe("A share in [0,1], an area in [0,1], or the value of an option."),
    measured: z
      .strictObject({ value: z.number().describe("The mean over models."), low, high, n, against })
      .nullable()
      .describe("Our number; null if it is not measured."),
    paper: z.number().nullable().describe("The paper's number; null if it has none."),
  }),
]);

const table = z.strictObject({
  kind: z.literal("table"),
  ...about,
  head: z.array(text).describe("Names of the columns."),
  rows: z.array(z.array(cell)).describe("Cells: words, or our number beside the paper's."),
  notes,
});

const axis = z.strictObject({
  label: text.describe("What it shows."),
  scale: z.enum(["linear", "log"]).describe("How values are spread."),
  share: z.literal(true).optional().describe("Whether values are shares in [0,1]."),
  limits: z
    .tuple([z.number().describe("Lowest."), z.number().describe("Highest.")])
    .optional()
    .describe("Between which all values lie that there can be."),
  names: z.array(text).optional().describe("Names of the values, for an axis of classes."),
});

const point = z.strictObject({
  x: z.number().describe("Value on the x axis."),
  y: z.number().describe("Value on the y axis."),
  ...{ low: low.optional(), high: high.optional(), n: n.optional(), against },
  ...{ xLow: low.optional(), xHigh: high.optional() },
  label: text.optional().describe("Name of the point."),
  marked: z.literal(true).optional().describe("Whether the point stands out."),
});

const chart = z.strictObject({
  kind: z.literal("chart"),
  title: text.describe("What the panel shows."),
  ...{ x: axis, y: axis },
  series: z.array(
    z.strictObject({
      name: text.describe("What it shows."),
      mark: z.enum(["line", "dots", "bars", "front"]).describe("How it is drawn."),
      paper: z.literal(true).optional().describe("Whether these are the paper's own numbers."),
      beside: text.optional().describe("Name of the series that it belongs to."),
      points: z.array(point),
    }),
  ),
});

const pictures = z.strictObject({
  kind: z.literal("pictures"),
  title: text.describe("What the panel shows."),
  pictures: z.array(
    z.strictObject({
      path: text.describe("Path within the store."),
      caption: text.describe("What it shows."),
    }),
  ),
});

const figure = z.strictObject({
  kind: z.literal("figure"),
  ...about,
  panels: z.array(z.union([chart, pictures])).describe("Charts, or pictures of the store."),
  notes,
});

const gallery = z.strictObject({
  kind: z.literal("gallery"),
  ...about,
  ...galleryRecord.pick({ images: true, attacks: true, left: true }).shape,
});

/** What `antidote reproduce --json` prints. */
export const reproduceRecord = z.strictObject({
  schemaVersion: z.literal(REPRODUCE_SCHEMA_VERSION).describe("Version of this document's schema."),
  document: z.literal("reproduce").describe("Kind of this document."),
  scale: z.enum(SCALE_NAMES).describe("How large the models are, and how many."),
  store: text.describe("Folder of the result store."),
  part: partRecord,
  reproduced: z
    .array(z.union([table, figure, gallery]))
    .describe("Tables and figures; none of a part."),
  runs: z
    .array(
      z.strictObject({
        experiment: text.describe("Name of the experiment."),
        known: natural.describe("Trials that the store had before."),
        ran: natural.describe("Trials that were run."),
        failed: z.array(trialFailure).describe("Trials that failed."),
        blocked: z.array(text).describe("Trials that need one that has failed."),
        duration: z.number().min(0).describe("Seconds from start to end."),
      }),
    )
    .describe("What was run for them; nothing where the store alone was read."),
});

export type ReproduceRecord = Frozen<z.infer<typeof reproduceRecord>>;
