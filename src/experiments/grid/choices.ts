import type { Attack } from "../../attacks/attack.ts";
import type { CodePoisoning } from "../../attacks/code-poisoning.ts";
import { TRAINING_ATTACKS } from "../../attacks/index.ts";
import type { Poisoning } from "../../attacks/poison.ts";
import { PRESETS, type Preset } from "../../attacks/presets.ts";
import { chooseMethod, type MethodChoice } from "../../audit/method-choice.ts";
import type { Configured } from "../../audit/options.ts";
import { AntidoteError } from "../../core/errors.ts";
import type { Deployment } from "../../deployments/deployment.ts";
import { DEPLOYMENTS } from "../../deployments/index.ts";
import type { Detector } from "../../detectors/detector.ts";
import { DETECTORS } from "../../detectors/index.ts";
import { REPAIRS } from "../../repairs/index.ts";
import type { Repair } from "../../repairs/repair.ts";
import { SANITIZERS } from "../../sanitizers/index.ts";
import type { Sanitizer } from "../../sanitizers/sanitizer.ts";
import type { Experiment } from "./experiment-file.ts";
import type { Methods } from "./methods.ts";
import type { PlaceOf } from "./yaml-file.ts";

/** A method of an experiment. */
export interface Chosen<M> extends Configured<M> {
  /** Its name with the options that the file gives it: "badnets size=3". */
  readonly called: string;
}

/** An attack with its amounts of poison. */
export interface ChosenAttack extends Chosen<Attack | CodePoisoning> {
  /** None where the attack owns the training. */
  readonly amounts: readonly Omit<Poisoning, "target">[];
}

/** The methods of an experiment. */
export interface Choices {
  readonly attacks: readonly ChosenAttack[];
  readonly sanitizers: readonly Chosen<Sanitizer>[];
  readonly repairs: readonly Chosen<Repair>[];
  readonly deployments: readonly Chosen<Deployment>[];
  readonly detectors: readonly Chosen<Detector>[];
  /** Makes the copy that some detectors compare a model with. */
  readonly reference: Chosen<Repair>;
}

/**
 * The methods that an experiment names.
 * @param placeOf where a part of its file stands, for error messages; errors name the method alone if nobody knows
 * @throws `UNKNOWN_METHOD`, `INVALID_CONFIG`
 */
export function choicesOf(plan: Experiment, placeOf?: PlaceOf): Choices {
  const repairs: Methods<Repair> = REPAIRS;
  const paper = plan.preset ? PRESETS[plan.preset] : {};
  const each = <C, R>(key: keyof Experiment, choices: readonly C[], choose: (choice: C) => R) =>
    choices.map((choice, at) => located(() => choose(choice), placeOf?.([key, at])));
  const from =
    <M extends AnyMethod>(kind: string, methods: Methods<M>) =>
    (choice: Choice) =>
      chosen(kind, methods, choice);
  return {
    attacks: each("attacks", plan.attacks, (attack) => attackOf(attack, paper)),
    sanitizers: each("sanitizers", plan.sanitizers, from("sanitizer", SANITIZERS)),
    repairs: each("repairs", plan.repairs, from("repair", repairs)),
    deployments: each("deployments", plan.deployments, from("deployment", DEPLOYMENTS)),
    detectors: each("detectors", plan.detectors, from("detector", DETECTORS)),
    reference: located(() => chosen("repair", repairs, plan.reference), placeOf?.(["reference"])),
  };
}

/** The same, its errors about a line of the file. */
function located<R>(choose: () => R, line: string | undefined): R {
  try {
    return choose();
  } catch (cause) {
    if (!(cause instanceof AntidoteError) || line === undefined) throw cause;
    const { code, message, place, next } = cause;
    throw new AntidoteError(code, message, {
      ...{ place: place === undefined ? line : `${line}, ${place}`, cause },
      ...(next === undefined ? {} : { next }),
    });
  }
}

type Choice = Experiment["repairs"][number];

type AnyMethod = { readonly config: Repair["config"] };

function chosen<M extends AnyMethod>(kind: string, methods: Methods<M>, choice: Choice): Chosen<M> {
  const called = inWords(choice);
  return { ...chooseMethod(kind, methods, choice as MethodChoice<string>), called };
}

interface AttackChoice {
  readonly [option: string]: unknown;
  readonly name: string;
  readonly poisoned?: number | readonly number[] | undefined;
  readonly boost?: number | undefined;
  readonly embed?: Poisoning["embed"] | undefined;
}

function attackOf(choice: AttackChoice, presets: Readonly<Record<string, Preset>>): ChosenAttack {
  const { poisoned, boost, embed, ...rest } = choice;
  const attack = chosen("attack", TRAINING_ATTACKS, rest);
  if (!("labels" in attack.method)) {
    if ((poisoned ?? boost ?? embed) === undefined) return { ...attack, amounts: [] };
    throw new AntidoteError("INVALID_CONFIG", `${rest.name} poisons no images.`, {
      place: "attacks",
      next: "Leave out `poisoned`, `boost` and `embed`: it owns the training.",
    });
  }
  if (attack.method.needs?.(attack.config).includes("photographs")) {
    throw new AntidoteError(
      "INVALID_CONFIG",
      `${rest.name} asks for photographs, which an experiment cannot give it.`,
      { place: "attacks", next: "Choose a mode of the attack that needs none." },
    );
  }
  const paper = presets[rest.name];
  const amounts = [poisoned ?? paper?.samples ?? []].flat();
  if (amounts.length === 0) {
    throw new AntidoteError("INVALID_CONFIG", `Nothing says how much ${rest.name} poisons.`, {
      place: "attacks",
      next: "Give the attack `poisoned`, or the experiment a `preset`.",
    });
  }
  const how = {
    boost: boost ?? paper?.boost ?? 1,
    embed: embed ?? paper?.embed ?? "before-augmentation",
  };
  return { ...attack, amounts: amounts.map((samples) => ({ samples, ...how })) };
}

function inWords({ name, ...options }: Choice): string {
  const parts = Object.entries(options).map(
    ([option, value]) => `${option}=${valueInWords(value)}`,
  );
  return [name, ...parts].join(" ");
}

/** Fractions to four digits: 4/255 reads as 0.01569. */
function valueInWords(value: unknown): string {
  if (typeof value === "object") return JSON.stringify(value);
  const isFraction = typeof value === "number" && !Number.isInteger(value);
  return String(isFraction ? Number(value.toPrecision(4)) : value);
}
