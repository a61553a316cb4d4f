import { type EstimatedDrop, estimateDrop } from "../audit/deploy.ts";
import type { Configured } from "../audit/options.ts";
import { divideTrusted } from "../audit/prepare.ts";
import { repairModel, type Witness } from "../audit/repair-model.ts";
import type { AugmentOptions } from "../data/augment.ts";
import type { ImageSet } from "../data/images.ts";
import type { Deployed, Deployment } from "../deployments/deployment.ts";
import { undefended } from "../deployments/undefended.ts";
import { searchSuspected } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { Repair } from "../repairs/repair.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Sanitizer } from "../sanitizers/sanitizer.ts";
import { type Aids, type Attacker, collect, type Train, triggerOf } from "./collect.ts";
import { Judge, type Judgement } from "./judge.ts";
import { type JudgedPoint, oracleChoice } from "./oracle.ts";
import { type Curated, sanitize } from "./sanitize.ts";

/** Who plays before the model is there: the attacker, and the defender who collects and trains. */
export interface Collectors {
  /** None for a clean model. */
  readonly attacker?: Attacker | undefined;
  /** None is the identity. */
  readonly sanitizer?: Configured<Sanitizer> | undefined;
  readonly train: Train;
  /** Trains the network that the sanitizer looks through; `train` by default. */
  readonly scout?: Train | undefined;
  readonly aids?: Aids | undefined;
  /** How training moves images. */
  readonly augmentation?: AugmentOptions | undefined;
}

/** A model whose training nobody vouches for. */
export interface Suspect extends Curated {
  readonly model: Classifier;
}

/** Lines 7 to 9 of Algorithm 1: collect, sanitize, train. */
export async function trainSuspect(
  context: RunContext,
  { attacker, sanitizer, train, scout = train, aids, augmentation }: Collectors,
  clean: ImageSet,
): Promise<Suspect> {
  const collected = await collect(context, clean, attacker, aids, augmentation); // 7
  try {
    const curated = await sanitize(context, collected, sanitizer, scout); // 8
    const trained = await train(context, curated.collected); // 9
    return { ...curated, model: await collected.finish(trained) };
  } finally {
    await collected.release();
  }
}

/** How the defender treats a model that is there. */
export interface Defence {
  /** None is the identity. */
  readonly repair?: Configured<Repair> | undefined;
  /** None is the identity. */
  readonly deployment?: Configured<Deployment> | undefined;
  /** Δ, largest allowed drop of accuracy, as a share. */
  readonly allowedDrop: number;
  /** Share of the trusted images that only choose among checkpoints. */
  readonly heldOut: number;
}

/** A checkpoint of a repair as judge and defender see it. */
export interface CurvePoint extends JudgedPoint {
  /** Loss of the last step; null for the suspect. */
  readonly loss: number | null;
  /** The defender's own estimate of its drop, on held-out trusted images; null for the suspect. */
  readonly estimatedDrop: EstimatedDrop | null;
}

/** What a defence comes to. */
export interface Defended {
  /** The suspect, as it is. */
  readonly before: Judgement;
  /** Every checkpoint, the suspect first (step 0). */
  readonly curve: readonly CurvePoint[];
  /** Chosen with test images and the trigger, as in the paper. */
  readonly oracle: CurvePoint;
  /** Chosen without: what a defender ships. */
  readonly deployable: CurvePoint;
  /** Whether the defender takes its drop to be allowed. */
  readonly claimed: boolean;
  /** Why the repair ended before its last step; null if it did not. */
  readonly stopped: string | null;
  /** What the game returns: the deployable model in service, lines 15 and 16. */
  readonly deployed: Judgement;
  readonly model: Classifier;
}

/**
 * Lines 10 to 16 of Algorithm 1: repair and deploy with trusted images, and judge on test images.
 * @param trusted r images with their true labels
 * @throws the errors of the methods; `TOO_FEW_IMAGES`
 */
export async function defend(
  context: RunContext,
  { repair, deployment, allowedDrop, heldOut }: Defence,
  model: Classifier,
  trusted: ImageSet,
  judge: Judge,
): Promise<Defended> {
  const before = await judgeOne(context, judge, await undefended(context, model));
  const suspect: CurvePoint = { step: 0, loss: null, estimatedDrop: null, ...before };
  const judgements: Judgement[] = [];
  const witness = async (repaired: Classifier) => {
    judgements.push(await judgeOne(context, judge, await undefended(context, repaired)));
  };
  const outcome = repair
    ? await repairAndChoose(context, { repair, allowedDrop, heldOut }, model, trusted, witness) // 11
    : undefined;
  const repaired = (outcome?.checkpoints ?? []).map((checkpoint, at) => ({
    ...{ step: checkpoint.step, loss: checkpoint.loss },
    ...{ estimatedDrop: estimateDrop(outcome!.suspect, checkpoint), ...judgements[at]! },
  }));
  const curve: [CurvePoint, ...CurvePoint[]] = [suspect, ...repaired];
  const shipped = outcome?.model ?? model;
  const deployable = curve.find(({ step }) => step === (outcome?.chosen.step ?? 0)) ?? suspect;
  const deployed = deployment
    ? await judgeOne(context, judge, await inService(context, deployment, shipped, trusted)) // 12
    : { accuracy: deployable.accuracy, attackSuccess: deployable.attackSuccess };
  return {
    ...{ before, curve, deployable, deployed, model: shipped },
    oracle: oracleChoice(curve, allowedDrop),
    claimed: outcome?.deployable ?? true,
    stopped: outcome?.stopped ?? null,
  };
}

/** Line 11: a repair, and the checkpoint that the defender ships. */
export async function repairAndChoose(
  context: RunContext,
  {
    repair,
    allowedDrop,
    heldOut,
  }: Pick<Defence, "allowedDrop" | "heldOut"> & {
    readonly repair: Configured<Repair>;
  },
  model: Classifier,
  trusted: ImageSet,
  witness?: Witness,
) {
  const divided = divideTrusted(trusted, heldOut, context.random);
  const triggers = repair.method.takesTriggers
    ? await searchSuspected(context, model, divided.tuning)
    : [];
  const patient = { model, ...divided };
  return await repairModel(context, patient, triggers, repair, allowedDrop, witness);
}

function inService(
  context: RunContext,
  { method, config }: Configured<Deployment>,
  model: Classifier,
  trusted: ImageSet,
): Promise<Deployed> {
  const own = { ...context, random: context.random.fork("deployment") };
  return method.run(own, { model, trusted }, config);
}

/** Judges a model in service, and takes it out of service. */
async function judgeOne(context: RunContext, judge: Judge, deployed: Deployed): Promise<Judgement> {
  try {
    return await judge.judge(deployed, context);
  } finally {
    await deployed.release();
  }
}

/** The images of a game: to collect, to trust, and to judge by. */
export interface Board extends Readonly<Record<"clean" | "trusted" | "test", ImageSet>> {}

/**
 * The Data Poisoning Robustness Game (Pick your Poison, Algorithm 1). A slot that is empty is the identity. The
 * defender's model is `deployed` in the result; the curve shows every point of the trade-off on the way.
 * @throws the errors of the methods that play
 */
export async function robustnessGame(
  context: RunContext,
  collectors: Collectors,
  defence: Defence,
  { clean, trusted, test }: Board,
): Promise<Defended & { readonly suspect: Suspect }> {
  const suspect = await trainSuspect(context, collectors, clean); // 7 to 9
  const { attacker, aids } = collectors;
  const { classes } = suspect.model;
  const trigger = attacker && (await triggerOf(context, attacker, test, classes, aids)); // 14
  try {
    const judge = await Judge.open(context, test, trigger);
    return { suspect, ...(await defend(context, defence, suspect.model, trusted, judge)) }; // 10 to 16
  } finally {
    await trigger?.release?.();
  }
}
