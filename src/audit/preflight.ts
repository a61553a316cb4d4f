import { AntidoteError } from "../core/errors.ts";
import { type Proportion, proportion } from "../core/statistics.ts";
import { count, type ImageSet, indicesByClass, subset } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { predict } from "../models/predict.ts";
import {
  type NamedPreprocessing,
  type Preprocessing,
  samePreprocessing,
  usualPreprocessings,
} from "../models/preprocessing.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Stated } from "./stated.ts";

/** How the model's preprocessing was settled, and how well the model does with it. */
export interface Preflight {
  readonly classifier: Classifier;
  /** Accuracy on all trusted images. */
  readonly accuracy: Proportion;
  /** Predicted class of every trusted image, [N]. */
  readonly predicted: Int32Array;
  /** What weakens the result: what the model's maker states wrongly, or what nobody looked at. */
  readonly warnings: readonly string[];
  readonly preprocessing: {
    /** Name of a usual preprocessing, what states an unusual one, or "given". */
    readonly name: string;
    readonly how: "given" | "accuracy";
    /** Every candidate with its accuracy on the images that they were compared on. */
    readonly tried: readonly {
      readonly name: string;
      readonly preprocessing: Preprocessing;
      readonly accuracy: Proportion;
    }[];
  };
}

/** A model must stand at least this far on the way from guessing the commonest class (0) to no error (1). */
const PLAUSIBLE = 0.2;

/** How many trusted images tell preprocessings apart. */
const COMPARED = 200;

/** Images of a folder that must agree on another class: one or two may be mistakes. */
const FEWEST_VOTES = 3;

/** Standard deviations by which another preprocessing must do better than a stated one to be taken instead. */
const REFUTED = 3;

/**
 * Checks that the model does its job on the trusted images before anything is concluded from it. Wrong
 * preprocessing or a wrong class order makes every later number meaningless; both are found here.
 * @param given preprocessing from flags; without it those that the model's maker states and the usual ones are
 *   compared by accuracy, and the one stated first is taken unless another does better beyond doubt
 * @throws `CLASSES_MISMATCH`, `ACCURACY_IMPLAUSIBLE`
 */
export async function preflight(
  context: RunContext,
  model: Classifier,
  trusted: ImageSet,
  given?: Preprocessing,
  stated?: Stated,
): Promise<Preflight> {
  assertClasses(model, trusted);
  const candidates = given
    ? [{ ...given, name: "given" }]
    : candidatesFor(model.image.channels, stated?.preprocessings ?? []);
  const few = sampleOf(context, trusted);
  const total = candidates.length * count(few) + count(trusted);
  const reached = (done: number) => context.emit({ kind: "step", stage: "preflight", done, total });
  const tried = [];
  for (const [index, { name, ...preprocessing }] of candidates.entries()) {
    const classifier = model.withPreprocessing(preprocessing);
    const { classes, logits } = await predict(context.device, classifier, few, context);
    const accuracy = proportion(hits(classes, few.labels), count(few));
    const right = classes.map((predicted, row) => (predicted === few.labels[row] ? 1 : 0));
    const likelihood = meanLogLikelihood(logits, few.labels);
    tried.push({ name, preprocessing, classifier, accuracy, right, likelihood });
    reached((index + 1) * count(few));
  }
  const claimed = given
    ? undefined
    : tried.find(({ name }) => name === stated?.preprocessings[0]?.name);
  const best = claimed && !isRefuted(claimed, tried) ? claimed : likeliest(tried);
  const { classes: predicted } = await predict(context.device, best.classifier, trusted, {
    signal: context.signal,
    progress: (done) => reached(total - count(trusted) + done),
  });
  const accuracy = proportion(hits(predicted, trusted.labels), count(trusted));
  assertPlausible(accuracy, predicted, trusted);
  const warnings = [...(stated?.warnings ?? [])];
  if (claimed && claimed !== best) {
    const [wrong, right] = [claimed, best].map((it) => `${(100 * it.accuracy.value).toFixed(1)} %`);
    warnings.push(
      `The model gets ${wrong} of the trusted images right with the preprocessing "${claimed.name}" that its maker states, but ${right} with "${best.name}", which is used instead.`,
    );
  }
  for (const message of warnings) context.emit({ kind: "warning", stage: "preflight", message });
  return {
    classifier: best.classifier,
    accuracy,
    predicted,
    warnings,
    preprocessing: { name: best.name, how: given ? "given" : "accuracy", tried },
  };
}

/** The usual preprocessings, and the stated ones in place of those that they are. The identity stays the first. */
function candidatesFor(
  channels: number,
  stated: readonly NamedPreprocessing[],
): NamedPreprocessing[] {
  const usual = usualPreprocessings(channels).map(
    (it) => stated.find((other) => samePreprocessing(it, other)) ?? it,
  );
  for (const it of stated) {
    if (!usual.some((other) => samePreprocessing(it, other))) usual.push(it);
  }
  return usual;
}

/** Whether some other candidate does better beyond doubt, by McNemar's statistic. */
function isRefuted<C extends Candidate>(claimed: C, tried: readonly C[]): boolean {
  return tried.some((other) => {
    const [won, lost] = [wins(other, claimed), wins(claimed, other)];
    return won - lost > REFUTED * Math.sqrt(won + lost);
  });
}

/** On how many images the first candidate is right and the second is not. */
function wins(a: Candidate, b: Candidate): number {
  return a.right.filter((hit, row) => hit > b.right[row]!).length;
}

/** A preprocessing that was tried. */
interface Candidate {
  readonly preprocessing: Preprocessing;
  /** For every image, 1 where the prediction is right, [N]. */
  readonly right: Int32Array;
  /** Mean log-likelihood of the true labels. */
  readonly likelihood: number;
}

/**
 * The candidate that the model was most likely made for. Accuracy decides where the difference is more
 * than one standard deviation of the images on which two candidates differ (McNemar's statistic). Among
 * the rest the likelihood of the labels tells similar scales apart; where colours matter little it cannot
 * tell their order, and the usual one is taken. The first, the identity, stands as long as none is better.
 */
function likeliest<C extends Candidate>(tried: readonly C[]): C {
  const most = tried.reduce((a, b) => (wins(b, a) > wins(a, b) ? b : a));
  const close = tried.filter((candidate) => {
    const [won, lost] = [wins(candidate, most), wins(most, candidate)];
    return lost - won <= Math.sqrt(won + lost);
  });
  const identity = close[0] === tried[0] && wins(most, tried[0]!) <= wins(tried[0]!, most);
  if (identity) return tried[0]!;
  const usual = close.filter(({ preprocessing }) => preprocessing.channels !== "bgr");
  return (usual.length > 0 ? usual : close).reduce((a, b) => (b.likelihood > a.likelihood ? b : a));
}

/** Mean of log softmax(logits)[label]. @param logits [N,K] @param labels [N] */
function meanLogLikelihood(logits: Float32Array, labels: Int32Array): number {
  const classes = logits.length / labels.length;
  const total = labels.reduce((sum, label, row) => {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const highest = Math.max(...scores);
    const partition = scores.reduce((all, score) => all + Math.exp(score - highest), 0);
    return sum + scores[label]! - highest - Math.log(partition);
  }, 0);
  return total / labels.length;
}

/** The images that candidates are compared on. */
function sampleOf(context: RunContext, trusted: ImageSet): ImageSet {
  const all = Array.from({ length: count(trusted) }, (_, index) => index);
  return subset(trusted, context.random.fork("preflight").sample(all, COMPARED));
}

function assertClasses(model: Classifier, trusted: ImageSet): void {
  if (trusted.classNames.length === model.classes) return;
  throw new AntidoteError(
    "CLASSES_MISMATCH",
    `The model has ${model.classes} classes, the trusted images have ${trusted.classNames.length}.`,
    {
      next: "Give one folder per class of the model, or name the model's classes in order with --classes labels.txt.",
    },
  );
}

function assertPlausible(accuracy: Proportion, predicted: Int32Array, trusted: ImageSet): void {
  const groups = indicesByClass(trusted);
  const chance = Math.max(...groups.map((group) => group.length)) / count(trusted);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const found = `The model classifies ${percent(accuracy.value)} of the trusted images correctly (guessing: ${percent(chance)})`;
  const moved = movedClasses(groups, predicted, trusted.classNames.length);
  if (moved.length > 0) {
    const pairs = moved.map(
      ({ from, to }) => `"${trusted.classNames[from]}" is the model's class ${to}`,
    );
    throw new AntidoteError(
      "CLASSES_MISMATCH",
      `${found}, but consistently so: the classes seem to be in another order.`,
      {
        next: `Give the model's class order with --classes; it looks as if ${pairs.slice(0, 5).join(", ")}${pairs.length > 5 ? ", …" : ""}.`,
      },
    );
  }
  if (accuracy.low > chance + PLAUSIBLE * (1 - chance)) return;
  throw new AntidoteError("ACCURACY_IMPLAUSIBLE", `${found}: nothing can be concluded from that.`, {
    next: "Check the preprocessing (--mean, --std, --range, --channels), the class order (--classes), and that the images are of the kind the model was trained on.",
  });
}

/**
 * Folders whose images the model takes for another class than the folder's, if it says one class to
 * most images and no two folders share one. A class that is only recognised badly is not among them: the
 * wrong class must have twice the votes of the right one, and the right one must be taken as well.
 */
function movedClasses(
  groups: readonly (readonly number[])[],
  predicted: Int32Array,
  classes: number,
): { readonly from: number; readonly to: number }[] {
  let agreeing = 0;
  const order = groups.map((group, own) => {
    const votes = new Int32Array(classes);
    for (const index of group) votes[predicted[index]!]!++;
    const most = Math.max(...votes);
    agreeing += most;
    return most >= Math.max(FEWEST_VOTES, 2 * votes[own]! + 1) ? votes.indexOf(most) : own;
  });
  const isPermutation = new Set(order).size === order.length;
  if (!isPermutation || agreeing <= 0.5 * predicted.length) return [];
  return order.flatMap((to, from) => (to === from ? [] : [{ from, to }]));
}

function hits(predicted: Int32Array, labels: Int32Array): number {
  return predicted.reduce((total, label, index) => total + (label === labels[index] ? 1 : 0), 0);
}
