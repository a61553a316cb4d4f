import { join } from "node:path";
import { z } from "zod";
import { about } from "../../audit/estimate.ts";
import { openPreprocessed } from "../../audit/open.ts";
import { AntidoteError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { writeText } from "../../core/write-file.ts";
import { isCifar10File } from "../../data/cifar10.ts";
import { namesIn } from "../../data/files.ts";
import { PROCEDURAL } from "../../data/training-images.ts";
import { forecast } from "../../experiments/grid/forecast.ts";
import { pausing } from "../../experiments/grid/pausing.ts";
import type { Shard } from "../../experiments/grid/shard.ts";
import { type Snapshot, snapshotOf, warnOfDamage } from "../../experiments/grid/snapshot.ts";
import { ResultStore } from "../../experiments/grid/store.ts";
import type { Artefact, Reproduced } from "../../experiments/reproduce/artefact.ts";
import { ARTEFACTS, ON_CLIP } from "../../experiments/reproduce/index.ts";
import {
  type NamedRun,
  plansOf,
  readArtefact,
  reproduce as runAndRead,
} from "../../experiments/reproduce/reproduce.ts";
import {
  REPRODUCE_SCHEMA_VERSION,
  type ReproduceRecord,
} from "../../experiments/reproduce/reproduce-record.ts";
import {
  ofClip,
  onClip,
  SCALE_NAMES,
  type Scale,
  type ScaleName,
  scaleNamed,
  scaleOn,
} from "../../experiments/reproduce/scales.ts";
import { changeInWords } from "../../report/attack-gallery.ts";
import { figureText } from "../../report/reproduce/figure-text.ts";
import { tableText } from "../../report/reproduce/table-text.ts";
import { writeReproduced } from "../../report/reproduce/write.ts";
import { visible } from "../../report/visible.ts";
import { AID_OPTIONS } from "../attack-aids.ts";
import { type CommandInput, command, type Outcome } from "../command.ts";
import { drawGallery, galleryCsv, writeGallery } from "../gallery.ts";
import { columns } from "../help.ts";
import { onDevice } from "../open.ts";
import { grouped } from "../options/shared.ts";
import { DRY_RUN_OPTION, dryRun } from "./experiment/dry-run.ts";
import { WORKER_OPTIONS, workersOf } from "./experiment/run.ts";
import { incomplete, partOf, SHARD_OPTION, STORE_OPTION, shardOf } from "./experiment/shared.ts";

/** The figure that shows pictures of attacks alone: no trial is needed for it. */
const GALLERY = "figure-8";
/** What can be made of ResNet-18s. */
const NAMES = [
  ...Object.keys(ARTEFACTS).filter((name) => !Object.values<string>(ON_CLIP).includes(name)),
  GALLERY,
];

const options = z.strictObject({
  ...grouped("Results:", {
    scale: z
      .enum(SCALE_NAMES)
      .default("tiny")
      .describe("how large the models are and how many: minutes, hours, or weeks without a GPU"),
    data: z
      .string()
      .optional()
      .describe("folder with CIFAR-10's binary files; the tiny scale draws its images")
      .meta({ placeholder: "path" }),
    model: z
      .enum(["resnet18", "clip"])
      .default("resnet18")
      .describe(
        "what models are: new ResNet-18s, or fine-tuned from a CLIP classifier (Section V-E4)",
      ),
    from: z
      .string()
      .optional()
      .describe("the CLIP classifier: a file that `antidote zero-shot` has made")
      .meta({ placeholder: "onnx" }),
    ...STORE_OPTION,
    out: z
      .string()
      .min(1)
      .default("antidote-reproduced")
      .describe("folder for the tables and figures")
      .meta({ placeholder: "dir" }),
    ...SHARD_OPTION,
    renderOnly: z.boolean().default(false).describe("show what the store has, and run nothing"),
    ...DRY_RUN_OPTION,
  }),
  ...WORKER_OPTIONS,
});

type Input = CommandInput<typeof options, Record<string, never>>;
type Part = ReproduceRecord["reproduced"][number];

/** Makes a table or figure of the paper from trials. */
export const reproduce = command({
  name: "reproduce",
  summary: "make a table or figure of the paper from trials of one's own",
  description: `Runs the trials that a table or figure of "Pick your Poison" needs, as far as the result store does not have them, and writes it with the paper's numbers beside: a table as Markdown, CSV and HTML, a figure as SVG, PNG, CSV and HTML. Names: ${NAMES.join(", ")}, or all; those about CIFAR-10, and none about ImageNet. Stopped by Ctrl-C or SIGTERM it exits with 75, and the same command goes on.`,
  argument: { name: "name", description: "table-2, figure-5, …, claims, or all" },
  options,
  slots: {},
  examples: [
    {
      line: "antidote reproduce table-2",
      purpose: "Table II at the tiny scale, in minutes: shows that everything runs",
    },
    {
      line: "antidote reproduce all --scale small --data cifar-10-batches-bin/ --store results/",
      purpose: "everything on CIFAR-10 with small networks, in hours to days",
    },
    {
      line: "antidote reproduce all --scale small --data cifar-10-batches-bin/ --store results/ --dry-run",
      purpose: "how long each of them would take",
    },
    {
      line: "antidote reproduce figure-7 --scale small --store results/ --render-only",
      purpose: "what a store has of a figure already",
    },
    {
      line: "antidote reproduce figure-7 --model clip --from clip.onnx --scale small --data cifar-10-batches-bin/",
      purpose: "the same with models that go on from CLIP, for images of its size",
    },
  ],

  async run(input) {
    const { argument, options } = input;
    const names = namesOf(argument, options.model);
    const artefacts = Object.values(ARTEFACTS as Readonly<Record<string, Artefact>>).filter(
      ({ name }) => names.includes(name),
    );
    const { renderOnly } = options;
    if (renderOnly && argument === GALLERY) {
      throw new AntidoteError("USAGE", "Figure 8 is drawn from images, not from a store.", {
        next: "Leave out --render-only.",
      });
    }
    if (renderOnly && options.shard !== undefined) {
      throw new AntidoteError("USAGE", "What a store has is shown as a whole.", {
        place: "--shard",
        next: "Leave out --shard, or --render-only.",
      });
    }
    if (renderOnly && options.dryRun) {
      throw new AntidoteError("USAGE", "What a store has is shown, or what it lacks is counted.", {
        place: "--dry-run",
        next: "Leave out --dry-run, or --render-only.",
      });
    }
    const shard = renderOnly ? undefined : shardOf(options, input.emit);
    const scale = renderOnly ? scaleToRead(options) : await pausing(scaleOf(input));
    if (options.dryRun) {
      const groups = artefacts.map((artefact) => ({
        name: artefact.name,
        plans: plansOf(artefact, scale),
      }));
      return await dryRun(input, groups, { ...options, shard, workers: workersOf(options) });
    }
    const families = renderOnly ? [] : await pausing(announce(input, artefacts, scale, shard));
    const known = renderOnly ? await snapshotOf(ResultStore.existing(options.store)) : undefined;
    warnOfDamage(input.emit, known?.damaged ?? []);
    if (known) noteScales(input, artefacts, known);
    if (argument === "all" && (renderOnly || shard)) {
      const message =
        "Figure 8 is drawn from images, not from a store: `antidote reproduce figure-8`.";
      input.emit({ kind: "note", stage: "plan", message });
    }
    const { store, device, threads } = options;
    const how = { store, shard, families, workers: workersOf(options), device, threads };
    const runs: NamedRun[] = [];
    const parts: Made[] = [];
    for (const artefact of artefacts) {
      const { reproduced, runs: own } = known
        ? { reproduced: readArtefact(artefact, scale, known), runs: [] }
        : await runAndRead(input, artefact, scale, how);
      runs.push(...own);
      // What a part has run is no table yet.
      if (!shard) parts.push(await write(options, reproduced, scale));
    }
    if (names.includes(GALLERY) && !renderOnly && !shard) {
      parts.push(await pausing(makeGallery(input, scale)));
    }
    const document: ReproduceRecord = {
      schemaVersion: REPRODUCE_SCHEMA_VERSION,
      document: "reproduce",
      ...{ scale: scale.name, store },
      part: partOf(shard),
      reproduced: parts.map(({ part }) => part),
      runs,
    };
    return {
      document,
      text: shard ? partInWords(shard, runs) : parts.map(({ text }) => text).join("\n\n\n"),
      exitCode: 0,
      failure: incomplete({
        failed: runs.flatMap(({ failed }) => failed),
        blocked: runs.flatMap(({ blocked }) => blocked),
      }),
    } satisfies Outcome;
  },
});

/** What an argument names. Throws `USAGE`, with the nearest name there is. */
function namesOf(argument: string, model: Input["options"]["model"]): readonly string[] {
  if (model === "clip") {
    const figure = ON_CLIP[argument];
    if (figure !== undefined) return [figure];
    throw new AntidoteError("USAGE", `The paper shows no ${argument} of CLIP.`, {
      place: "--model",
      next: `Choose ${Object.keys(ON_CLIP).join(" or ")}, or leave out --model.`,
    });
  }
  if (argument === "all") return NAMES;
  if (NAMES.includes(argument)) return [argument];
  const similar = nearest(argument, [...NAMES, "all"]);
  throw new AntidoteError("USAGE", `The paper has no "${argument}" that can be reproduced.`, {
    place: "<name>",
    next: similar ? `Did you mean ${similar}?` : `Choose one of ${NAMES.join(", ")}, or all.`,
  });
}

/** The scale without images and model. */
function scaleToRead({ scale, model }: Input["options"]): Scale {
  return model === "clip" ? ofClip(scaleNamed(scale)) : scaleNamed(scale);
}

/**
 * The scale on the user's images, and from their model if it is about one.
 * @throws `USAGE` for a model without its file, or a file that nothing is made of; the errors of `openPreprocessed`
 */
async function scaleOf({ options, signal, emit }: Input): Promise<Scale> {
  const { model, from, data, device, threads } = options;
  const scale = scaleOn(options.scale, data);
  if (scale.base.data !== PROCEDURAL) await assertCifar10(scale.base.data);
  else if (data !== undefined) {
    const message = `The scale "${scale.name}" draws its images: --data is not used.`;
    emit({ kind: "note", stage: "plan", message });
  }
  if (model === "resnet18") {
    if (from === undefined) return scale;
    throw new AntidoteError("USAGE", "New ResNet-18s go on from no file.", {
      place: "--from",
      next: "Leave it out, or say --model clip.",
    });
  }
  if (from === undefined) {
    throw new AntidoteError("USAGE", "No CLIP classifier is given.", {
      place: "--from",
      next: "Make one, `antidote zero-shot FOLDER --classes PATH --out clip.onnx`, and name it: --from clip.onnx.",
    });
  }
  const preprocessing = "none"; // `zero-shot` writes files for pixels in [0,1]
  const { classifier, sha256 } = await onDevice(
    { device, threads, seed: 0 },
    { signal, emit },
    (context) => openPreprocessed(context, from, { preprocessing, place: "--from" }),
  );
  return onClip(scale, { from, preprocessing, sha256 }, classifier.image.height);
}

/** The paper's numbers are those of CIFAR-10. Throws `DATA_INVALID` for other images. */
async function assertCifar10(folder: string): Promise<void> {
  if ((await namesIn(folder)).some(isCifar10File)) return;
  throw new AntidoteError("DATA_INVALID", "None of CIFAR-10's binary files is there.", {
    place: folder,
    next: "Name the folder with data_batch_1.bin to 5 and test_batch.bin; `antidote experiment run` takes other images.",
  });
}

/** Says it where a store has an artefact at other scales than the one that is asked for. */
function noteScales(
  { options: { scale, model }, emit }: Input,
  artefacts: readonly Artefact[],
  { plans }: Pick<Snapshot, "plans">,
): void {
  const kept = new Set(plans.map(({ experiment }) => experiment.name));
  const has = (name: ScaleName) => {
    const other = model === "clip" ? ofClip(scaleNamed(name)) : scaleNamed(name);
    return artefacts.some((artefact) =>
      artefact.experiments(other).some((experiment) => kept.has(String(experiment.name))),
    );
  };
  if (has(scale)) return;
  const others = SCALE_NAMES.filter(has);
  if (others.length === 0) return;
  const message = `The store has none of this at the scale "${scale}"; it has some at ${others.map((name) => `--scale ${name}`).join(" and ")}.`;
  emit({ kind: "warning", stage: "plan", message });
}

/** What a part has done, and what there is to do once all have. */
function partInWords({ index, of }: Shard, runs: readonly NamedRun[]): string {
  const sum = (which: "ran" | "known") => runs.reduce((total, run) => total + run[which], 0);
  return `Part ${index + 1} of ${of}: ${sum("ran")} trials run, ${sum("known")} known before. Once all parts are done, and their stores merged if they have their own, the same command with --render-only in the place of --shard writes the tables and figures.`;
}

/** Says what lies ahead before anything runs. Returns what parts are made of. */
async function announce(
  { options, signal, emit }: Input,
  artefacts: readonly Artefact[],
  scale: Scale,
  shard: Shard | undefined,
): Promise<readonly string[]> {
  const note = (message: string) => emit({ kind: "note", stage: "plan", message });
  note(`Scale ${scale.name}: ${scale.description}.`);
  const workers = workersOf(options);
  const { store, device, threads } = options;
  const plans = artefacts.map((artefact) => plansOf(artefact, scale));
  const ahead = await forecast({ signal, emit }, plans, { store, shard, workers, device, threads });
  if (ahead.trials === 0) return [];
  const found = `${ahead.trials} trials, ${ahead.trials - ahead.missing} of them in the store`;
  const left = `${about(ahead.seconds)} with ${workers} ${workers === 1 ? "worker" : "workers"}`;
  note(ahead.missing === 0 ? `${found}: nothing to run.` : `${found}: ${left} for the others.`);
  return ahead.families;
}

/** A table or figure, as it is printed and recorded. */
interface Made {
  readonly part: Part;
  readonly text: string;
}

async function write(
  { store, out }: Input["options"],
  reproduced: Reproduced,
  scale: Scale,
): Promise<Made> {
  const files = await writeReproduced(out, reproduced, new ResultStore(store), scale);
  const text = reproduced.kind === "table" ? tableText(reproduced) : figureText(reproduced);
  const written = `written  ${files.map(visible).join(", ")}`;
  return { part: { ...reproduced, files }, text: `${text}\n\n${written}` };
}

/** Figure 8: what attacks do to images, as `antidote gallery` draws it. */
async function makeGallery({ options, signal, emit }: Input, { base }: Scale): Promise<Made> {
  const { out, device, threads } = options;
  const aids = z.object(AID_OPTIONS).parse({});
  const request = { ...aids, data: base.data, size: 32, count: base.count ?? 10_000 };
  const drawn = await onDevice({ device, threads, seed: 0 }, { signal, emit }, (context) =>
    drawGallery(context, { ...request, target: 0, shown: 2 }),
  );
  const { html, svg, png } = await writeGallery(out, GALLERY, drawn);
  const csv = join(out, `${GALLERY}.csv`);
  await writeText(csv, galleryCsv(drawn));
  const { images, attacks, left } = drawn;
  const title = "Figure 8: what attacks do to images";
  const files = [svg, png, csv, html];
  const rows = [
    ...attacks.map(({ attack, test }) => [attack.name, changeInWords(test).join(", ")] as const),
    ...left.map(({ name, why }) => [name, `not shown: ${why}`] as const),
  ];
  return {
    part: { kind: "gallery", name: GALLERY, title, files, images, attacks, left },
    text: `${title}\n\n${columns(rows)}\n\nwritten  ${files.map(visible).join(", ")}`,
  };
}
