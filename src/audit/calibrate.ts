import { basename } from "node:path";
import { AntidoteError } from "../core/errors.ts";
import { outlierTail, type Proportion, proportion } from "../core/statistics.ts";
import { ascending, type Geometry, geometryInWords } from "../data/images.ts";
import type { Detector } from "../detectors/detector.ts";
import { type Examined, usualAmong } from "../inversion/examined.ts";
import { screenClasses } from "../inversion/screen-classes.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import { type Conclusion, conclude } from "./conclude.ts";
import { openModel } from "./open.ts";
import { type AuditOptions, type Configured, copiesFor } from "./options.ts";
import { type Prepared, type Purpose, prepare, type Subject } from "./prepare.ts";
import type { AuditRecord, Verdict } from "./record.ts";
import { type Patient, type Repaired, repairModel } from "./repair-model.ts";
import { screeningFor } from "./screening.ts";
import { poisonCopy } from "./self-poison.ts";
import { doubtAboutCopy } from "./verdict.ts";

export type Calibration = AuditRecord["calibration"];

/** What calibration works with: the suspect as it was prepared, and how it was searched. */
export interface Calibrating {
  readonly subject: Subject;
  readonly prepared: Prepared;
  readonly detector: Configured<Detector>;
  /** Makes the copy to compare with, for detectors that need one. */
  readonly repair: Configured<Repair> | undefined;
  /** The repair of the suspect, if there is one. */
  readonly repaired: Pick<Repaired, "model" | "deployable"> | undefined;
  readonly references: readonly Reference[];
  readonly conclusion: Conclusion;
  /** The classes that were examined; undefined for all. */
  readonly examined: Examined | undefined;
  /** How many values the score of a class is the largest of: one for every kind of trigger that was searched. */
  readonly looks: number;
}

/**
 * What a score means on this model: what scores there are where this backdoor cannot be, and what the search would
 * find if a backdoor were there. Each null has its weakness, which records state beside it.
 *
 * - the other classes of the same model, which cost nothing, or those drawn at random: see `amongClasses`;
 * - the repaired model, where the suspect looks backdoored;
 * - clean models that the user trusts;
 * - copies of the suspect with a planted backdoor, where nothing was found: the power of the search.
 */
export async function calibrate(
  context: RunContext,
  about: Calibrating,
  options: AuditOptions,
): Promise<Calibration> {
  const { conclusion, prepared, repaired } = about;
  const { verdict } = conclusion;
  const recheck = verdict === "backdoored" && repaired && options.effort !== "quick";
  const references: Calibration["references"][number][] = [];
  for (const { file, prepared } of about.references) {
    const { leading } = await scoreOf(named(context, file), about, prepared, options);
    references.push({ file, score: leading.score, accuracy: prepared.preflight.accuracy });
  }
  return {
    classes: amongClasses(about),
    repaired: recheck
      ? await scoreOf(
          named(context, "repaired"),
          about,
          { ...prepared, model: repaired.model },
          options,
        ).then(({ leading: { score, target } }) => ({ score, target: nameOf(about, target) }))
      : null,
    references,
    // A copy of a model that has one backdoor already says nothing about finding the first one.
    power:
      verdict === "backdoored" ? null : await powerOf(context, about, copiesFor(options), options),
  };
}

/**
 * How far the leading class stands out among the classes of the model in its typical repeat, with p for the most extreme
 * of all K and of all kinds of trigger that were searched (Bonferroni). Classes that
 * screening picked are extremes themselves: their spread would hide a backdoor, and among them p would be one of a
 * few classes where it was the most extreme of K. So the sample are the controls, and K counts the screened out.
 */
function amongClasses({
  conclusion: { leading, classes },
  examined,
  prepared,
  looks,
}: Calibrating): Calibration["classes"] {
  const values = leading.typical.peers ?? classes.map(({ score }) => score);
  const targets = classes.map(({ target }) => target);
  const others = usualAmong(values, targets, examined, leading.target);
  const tail = outlierTail(values[targets.indexOf(leading.target)]!, others);
  const among = prepared.model.classes;
  return tail
    ? {
        ...{ deviations: tail.deviations, p: Math.min(1, looks * among * tail.p) },
        ...{ sample: others.length, among },
      }
    : null;
}

/** One search of a model as the suspect's was, with a screening of its own, and what follows from it. */
async function scoreOf(
  context: RunContext,
  { detector, repair }: Calibrating,
  patient: Patient,
  options: AuditOptions,
): Promise<Conclusion> {
  const { method, config } = detector;
  const { allowedDrop } = options;
  const { model, tuning: search, heldOut } = patient;
  const screening = await screeningFor(options, detector, model);
  const examined = screening && (await screenClasses(context, model, search, screening));
  const triggers = await method.search?.(context, { model, search, examined }, config);
  const copy =
    method.needsRepair && repair
      ? await repairModel(context, patient, [], repair, allowedDrop)
      : undefined;
  const about = { among: model.classes, copy: doubtAboutCopy(method, model, copy) };
  const seen = { model, repaired: copy?.model ?? model, search, heldOut, examined };
  const input = { ...seen, ...(triggers ? { triggers } : {}) };
  return conclude([await method.run(context, input, config)], about);
}

/** A model that the user knows to be clean. */
export interface Reference {
  readonly file: string;
  readonly prepared: Prepared;
}

/**
 * Opens reference models and checks that they do their job on the trusted images, before any search.
 * @throws the errors of `openModel` and `prepare`, naming the file
 */
export async function openReferences(
  context: RunContext,
  { trusted, model: suspect }: Subject,
  { references, heldOut }: AuditOptions,
  purpose?: Purpose,
): Promise<Reference[]> {
  const found: Reference[] = [];
  for (const path of references) {
    try {
      const opened = await openModel(context.device, path, { size: suspect.image });
      const { file, classifier: model, stated } = opened;
      refuseOtherImages(model.image, suspect.image);
      const prepared = await prepare(context, { file, model, trusted, stated }, heldOut, purpose);
      found.push({ file: basename(path), prepared });
    } catch (error) {
      if (!(error instanceof AntidoteError) || error.code === "CANCELLED") throw error;
      const { code, message, next } = error;
      throw new AntidoteError(code, `A reference model cannot be used: ${message}`, {
        place: path,
        ...(next === undefined ? {} : { next }),
        cause: error,
      });
    }
  }
  return found;
}

/** A reference is searched with the images of the suspect. */
function refuseOtherImages(own: Geometry, suspects: Geometry): void {
  const [taken, wanted] = [own, suspects].map(geometryInWords);
  if (taken === wanted) return;
  throw new AntidoteError(
    "USAGE",
    `it takes images of ${taken} (channels × height × width), the suspect of ${wanted}.`,
    { next: "Name models for the same images." },
  );
}

/** In how many copies of the model a planted backdoor is found. */
async function powerOf(
  context: RunContext,
  about: Calibrating,
  copies: number,
  options: AuditOptions,
): Promise<Calibration["power"]> {
  if (copies === 0) return null;
  const { prepared } = about;
  const order = context.random.fork("planted").shuffle(ascending(prepared.model.classes));
  const planted = [];
  for (let copy = 0; copy < copies; copy++) {
    const target = order[copy % order.length]!;
    const own = named(context, `copy ${copy + 1} of ${copies}`);
    const made = await poisonCopy(own, prepared, target).catch(unlessNotLearned);
    if (!made) continue;
    const { verdict, leading } = await scoreOf(
      own,
      about,
      { ...prepared, model: made.model },
      options,
    );
    const found = verdict === "backdoored" && leading.target === target;
    planted.push({ target: nameOf(about, target), score: leading.score, found });
  }
  const found = planted.filter((copy) => copy.found).length;
  const share: Proportion | null = planted.length > 0 ? proportion(found, planted.length) : null;
  return { copies, planted, found: share };
}

/** A copy that does not learn the trigger measures nothing; every other failure is one. */
function unlessNotLearned(error: unknown): undefined {
  const harmless = ["CANNOT_POISON", "DIVERGED"];
  if (error instanceof AntidoteError && harmless.includes(error.code)) return undefined;
  throw error;
}

/** The context with a random stream of its own, and with a name in progress events. */
function named(context: RunContext, name: string): RunContext {
  return {
    ...context,
    random: context.random.fork(name),
    emit: (event) => context.emit({ ...event, stage: `${name}: ${event.stage}` }),
  };
}

function nameOf({ subject }: Calibrating, index: number) {
  return { index, name: subject.trusted.classNames[index]! };
}

/** Power below which a search that found nothing has shown nothing. */
export const ENOUGH_POWER = 0.8;

/** "4 of 5 copies" */
export function ofCopies({ value, count }: Proportion): string {
  return `${Math.round(value * count)} of ${count} copies`;
}

/** The verdict in the light of the calibration, which can only weaken it, and why it did. */
export function settle(
  { verdict, leading }: Conclusion,
  { references, power }: Calibration,
): { readonly verdict: Verdict; readonly why: readonly string[] } {
  const higher = references.filter(({ score }) => score >= leading.score);
  if (verdict === "backdoored" && higher.length > 0) {
    const why = `Clean reference models score as high: ${higher.map(({ file, score }) => `${file} ${score.toFixed(2)}`).join(", ")}.`;
    return { verdict: "inconclusive", why: [why] };
  }
  if (verdict === "no-evidence" && power && (power.found?.value ?? 0) < ENOUGH_POWER) {
    const why = power.found
      ? `A backdoor planted in a copy of this model was found in ${ofCopies(power.found)} only: that nothing was found says little.`
      : "No copy of this model learned a planted backdoor, so that nothing was found says little.";
    return { verdict: "inconclusive", why: [why] };
  }
  return { verdict, why: [] };
}
