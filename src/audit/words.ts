import type { Interval } from "../core/statistics.ts";
import { UNLABELLED } from "../data/folder.ts";
import { count, type ImageSet } from "../data/images.ts";
import type { Detector } from "../detectors/detector.ts";
import { natureOf, type Rule } from "../detectors/rules.ts";
import { FAMILY_NAMES, type FamilyName } from "../inversion/trigger-family.ts";
import { ofCopies } from "./calibrate.ts";
import { REMOVED } from "./deploy.ts";
import type { ClassSummary } from "./evidence.ts";
import type { Configured } from "./options.ts";
import type { Prepared } from "./prepare.ts";
import type { AuditRecord, Verdict } from "./record.ts";
import type { Repaired } from "./repair-model.ts";
import type { Doubt } from "./verdict.ts";

/** What a detector looks for, and what it cannot see, said with every verdict. */
export interface Scope {
  readonly covered: readonly string[];
  readonly notTested: readonly string[];
}

const ONE_TARGET = "Backdoors that lead from every other class to one target class.";
const KINDS: Readonly<Record<FamilyName, string>> = {
  masked: "patches and blended pictures",
  smooth: "smooth faint patterns",
  additive: "faint patterns of any frequency",
  warped: "smooth warps",
};
const SURENESS =
  "Triggers of any kind that make the network far surer of its target than of other classes.";
const ALIKE =
  "Triggers that leave the network no surer of the target than of other classes, as small patches may.";
const MOVING =
  "Triggers that move or depend on the image otherwise: reflections, scattered patches, generated noise.";

/** What no detector here can see. */
const NEVER: readonly string[] = [
  "Backdoors that only lead from one class to another, or that aim at several classes at once.",
  "Backdoors built so that no small change reveals them; no test can rule those out.",
  "Other weaknesses: adversarial examples, bias, memorised training data.",
];

interface Described {
  readonly classes: readonly ClassSummary[];
  readonly rule: Rule;
  readonly verdict: Verdict;
  /** What leaves the scores inconclusive, before calibration weakened anything. */
  readonly doubts: readonly Doubt[];
  readonly leading: ClassSummary;
  readonly name: string;
  /** Whether a checkpoint of the repair keeps the allowed accuracy, give or take a standard error; null without a repair to speak of. */
  readonly deployable: boolean | null;
  /** What came before the search of these classes, if there are others. */
  readonly screening: AuditRecord["screening"];
}

/** The scope of a detector with its options. */
export function scopeOf({ method, config }: Configured<Detector>, statistic: string): Scope {
  const kinds = method.kinds(config);
  const others = FAMILY_NAMES.filter((kind) => !kinds.includes(kind));
  if (kinds.length === 0) {
    return { covered: [ONE_TARGET, SURENESS], notTested: [ALIKE, ...NEVER] };
  }
  const left =
    others.length > 0
      ? [
          `Other triggers that treat every image alike, as far as these do not imitate them: ${listed(others)}.`,
        ]
      : [];
  const fixed = `Triggers that treat every image alike: ${listed(kinds)}.`;
  return statistic === "of-threshold"
    ? {
        covered: [ONE_TARGET, fixed, SURENESS],
        notTested: [
          ...left,
          `${MOVING} Of these, only those that make it surer were tested.`,
          ...NEVER,
        ],
      }
    : { covered: [ONE_TARGET, fixed], notTested: [...left, MOVING, ...NEVER] };
}

/** Kinds of trigger in their usual order. */
function listed(kinds: readonly FamilyName[]): string {
  return FAMILY_NAMES.filter((kind) => kinds.includes(kind))
    .map((kind) => KINDS[kind])
    .join(", ");
}

/** The evidence for a verdict in plain words. */
export function reasonsFor({
  rule,
  verdict,
  doubts,
  classes,
  leading,
  name,
  deployable,
  screening,
}: Described): string[] {
  const { score, interval, strongest } = leading;
  const thresholds = `evidence of a backdoor from ${rounded(rule.backdooredFrom)}, none below ${rounded(rule.noEvidenceBelow)}`;
  const measured = `The highest score is ${score.toFixed(2)}${range(interval)}, of class "${name}" (${thresholds}).`;
  const { suspect, repaired } = strongest.success;
  const meaning =
    rule.statistic === "size-gap"
      ? `The smallest trigger found for "${name}" ${sizeInWords(strongest)}${gapInWords(strongest, screening ? "examined class" : "class")}.`
      : rule.description;
  const after = deployable === null ? "" : `, ${percentOf(repaired.value)} on the repaired model`;
  const moved = `${percentOf(suspect.value)} of held-out images of other classes into "${name}" on the suspect${after}`;
  const effect = strongest.illustration
    ? `The image that does it, laid over others, moves ${moved}: it shows what the network responds to, and is not the trigger.`
    : `It moves ${moved}.`;
  const undecided = doubts.map((doubt) => inDoubt(doubt, rule, classes, leading));
  const shipped =
    deployable !== false
      ? []
      : [
          "Every checkpoint of the repair loses more than the allowed accuracy on held-out trusted images: the repaired model is one of those that lose least.",
        ];
  // Every model has triggers; those of one without evidence are none of the repair's business.
  const left =
    deployable !== null &&
    !strongest.illustration &&
    repaired.value > REMOVED &&
    verdict !== "no-evidence"
      ? ["The repair has not removed this trigger altogether."]
      : [];
  return [measured, meaning, effect, ...screened(screening), ...left, ...undecided, ...shipped];
}

/** "is 12.3 pixels large" */
function sizeInWords({ size, trigger }: ClassSummary["strongest"]): string {
  switch (trigger.kind) {
    case "blend":
      return `is ${size.toFixed(1)} pixels large`;
    case "add":
      return `is ${size.toFixed(1)} large (L2 norm)`;
    case "warp":
      return `moves pixels by ${(100 * size).toFixed(1)} % of the image's side`;
  }
}

const percentOf = (share: number) => `${Math.round(100 * share)} %`;

/** A threshold to three digits. */
const rounded = (threshold: number) => Number(threshold.toPrecision(3));

/** Which classes the search did not reach. */
function screened(screening: AuditRecord["screening"]): string[] {
  if (!screening) return [];
  const { survivors, controls, screenedOut } = screening;
  return [
    `Of ${screenedOut.length + classesOf(screening)} classes a cheap search of all picked ${survivors.length}, and ${controls.length} were drawn at random: these were searched in full. A backdoor that leads to one of the ${screenedOut.length} others would be missed.`,
  ];
}

/** How many classes were searched in full; one may be picked and drawn. */
function classesOf({ survivors, controls }: NonNullable<AuditRecord["screening"]>): number {
  return new Set([...survivors, ...controls].map(({ index }) => index)).size;
}

/** What calibration adds, each with its weakness. */
export function whatScoresMean(
  { classes, repaired, references, power }: AuditRecord["calibration"],
  images: number,
): string[] {
  const scores = references.map(({ score }) => score.toFixed(2)).join(", ");
  return [
    ...(classes && classes.deviations > 0
      ? [
          `${beside(classes)} it stands out by ${classes.deviations.toFixed(1)} standard deviations (p = ${probability(classes.p)} for the most extreme of ${classes.among}; ${whatPSays(classes)}).`,
        ]
      : []),
    ...(repaired
      ? [
          `The repaired model, searched in the same way, scores ${repaired.score.toFixed(2)} (a repair that leaves something of a backdoor would score high).`,
        ]
      : []),
    ...(references.length > 0
      ? [
          `${references.length} clean reference ${references.length === 1 ? "model scores" : "models score"} ${scores} (they show what is usual only as far as they were trained as this one was).`,
        ]
      : []),
    ...(power?.found
      ? [
          `With these ${images} images the search finds a planted BadNets backdoor in ${ofCopies(power.found)} of this model (95 %: ${percentOf(power.found.low)} to ${percentOf(power.found.high)} of such copies; one that was trained in from the start may be harder to find).${unplanted(power)}`,
        ]
      : []),
    ...(power && !power.found
      ? [
          "No copy of this model learned a planted backdoor: what the search would find is not known.",
        ]
      : []),
  ];
}

/** Copies that were asked for and learned no trigger. */
function unplanted({ copies, planted }: NonNullable<AuditRecord["calibration"]["power"]>): string {
  const missing = copies - planted.length;
  return missing === 0 ? "" : ` ${missing} more of ${copies} did not learn the trigger.`;
}

function beside(of: NonNullable<AuditRecord["calibration"]["classes"]>): string {
  return isSample(of) ? `Beside ${of.sample} classes drawn at random` : "Among the classes";
}

/** Why the verdict does not rest on p. */
function whatPSays(of: NonNullable<AuditRecord["calibration"]["classes"]>): string {
  return isSample(of)
    ? "with so few of them it is hardly ever small, and the verdict does not rest on it"
    : "the classes of one model are few, and alike in what they share";
}

/** Whether only some of the classes say what is usual. */
function isSample({ sample, among }: NonNullable<AuditRecord["calibration"]["classes"]>): boolean {
  return sample < among - 1;
}

function probability(p: number): string {
  return p < 0.001 ? "less than 0.001" : p.toPrecision(2);
}

function inDoubt(
  doubt: Doubt,
  { statistic }: Rule,
  classes: readonly ClassSummary[],
  leading: ClassSummary,
): string {
  switch (doubt) {
    case "between":
      return "The score lies between the thresholds.";
    case "repeats-differ":
      return "A standard error leads from one side of the thresholds to the other: the searches differ too much to decide.";
    case "few-classes":
      return `Among so few classes a backdoor cannot be told from chance by this statistic, which needs ${natureOf(statistic).fewestClasses} or more.`;
    case "nothing-found": {
      const missing = classes.filter(({ found }) => !found).length;
      return `The search found nothing that works for ${missing} of ${classes.length} classes; a longer one may.`;
    }
    case "hardly-works": {
      const { low, count } = leading.strongest.success.suspect;
      return `On ${count} held-out images it cannot be told whether the trigger works at all (${Math.round(100 * low)} % or more): search longer, or give more images.`;
    }
    case "not-repaired":
      return "The repair left the model as it is, and a model compared with itself shows nothing: choose another --repair.";
    case "spoiled-copy":
      return "The repaired copy that the model is compared with loses more than the allowed accuracy: for any class something works on one of the two alone. Give more images, or choose a gentler --repair.";
  }
}

function range(interval: Interval | null): string {
  return interval ? ` (95 %: ${interval.low.toFixed(2)} to ${interval.high.toFixed(2)})` : "";
}

/** The score of a repeat is the gap times the success; of one that never works nothing tells the gap. */
function gapInWords(
  { score, success: { suspect } }: Described["leading"]["strongest"],
  noun: string,
): string {
  if (suspect.value === 0) return "";
  const larger = (score / suspect.value).toFixed(1);
  return `; no other ${noun} gets by with less than ${larger} times that`;
}

/**
 * What weakens the result.
 * @param repaired undefined where nothing is repaired
 */
export function warningsFor(
  trusted: ImageSet,
  { heldOut, preflight }: Pick<Prepared, "heldOut" | "preflight">,
  allowedDrop: number,
  repaired: Pick<Repaired, "stopped"> | undefined,
): string[] {
  const warnings = [...preflight.warnings];
  if (repaired?.stopped) warnings.push(`The repair ended early: ${repaired.stopped}`);
  if (trusted.origin?.classOrder === UNLABELLED) {
    warnings.push(
      "The images bear no labels: accuracy means agreement with the suspect, and what it gets wrong is learned anew.",
    );
  }
  if (repaired && 1 / count(heldOut) > allowedDrop / 2) {
    warnings.push(
      `Only ${count(heldOut)} images judge the repair: one of them is ${(100 / count(heldOut)).toFixed(1)} points of accuracy.`,
    );
  }
  if (trusted.classNames.length < 5) {
    warnings.push(
      "With fewer than five classes there is little to compare a suspicious class with.",
    );
  }
  return warnings;
}
