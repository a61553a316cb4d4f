import { assertClass, checkPlan, POISONING, type Poisoning } from "../../attacks/poison.ts";
import type { Configured } from "../../audit/options.ts";
import { divideTrusted } from "../../audit/prepare.ts";
import { AntidoteError, invariant } from "../../core/errors.ts";
import { Random } from "../../core/random.ts";
import { count } from "../../data/images.ts";
import type { Deployment } from "../../deployments/deployment.ts";
import { ARCHITECTURE } from "../../models/fresh.ts";
import type { Repair } from "../../repairs/repair.ts";
import { TRAINING } from "../../train/config.ts";
import { type Choices, type Chosen, type ChosenAttack, choicesOf } from "./choices.ts";
import type { Experiment } from "./experiment-file.ts";
import { type Images, trustedImages } from "./materials.ts";
import type { KeptTrial } from "./plans.ts";
import { type ModelTrial, type Trial, trialOf } from "./trial.ts";

/** A trial of an experiment. */
export interface Planned extends KeptTrial {
  /** Key of the attacked or clean model that everything around it belongs to: what shards are made of. */
  readonly family: string;
}

/**
 * All trials of an experiment, each once, in an order in which every trial comes after those that it needs. Models
 * are shared: one serves all repairs and detectors.
 * @throws `UNKNOWN_METHOD`, `INVALID_CONFIG`, `TOO_FEW_IMAGES`: whatever is wrong is found before anything runs
 */
export function expand(plan: Experiment, images: Images): Planned[] {
  return new Expansion(plan, images).run();
}

/** The network of an experiment, as trials state it. */
export function networkOf({ network }: Experiment): ModelTrial["network"] {
  if (!("from" in network)) return network;
  const { sha256, preprocessing } = network;
  invariant(sha256, "the digest of the model to start from is not known");
  return { sha256, preprocessing };
}

class Expansion {
  readonly #plan: Experiment;
  readonly #choices: Choices;
  readonly #images: Images;
  readonly #trials = new Map<string, Planned>();

  constructor(plan: Experiment, images: Images) {
    this.#plan = plan;
    this.#choices = choicesOf(plan, plan.placeOf);
    this.#images = images;
  }

  run(): Planned[] {
    const { seeds, cleanModels } = this.#plan;
    const { attacks } = this.#choices;
    const embeddings = new Set(attacks.flatMap(({ amounts }) => amounts.map(({ embed }) => embed)));
    this.#checkCombined();
    this.#checkModels();
    for (const [at, attack] of attacks.entries()) this.#checkAttack(attack, at);
    this.#checkTrusted();
    for (let seed = 0; seed < Math.max(seeds, cleanModels); seed++) {
      if (seed < cleanModels) this.#around(this.#clean(seed), `clean seed ${seed}`, seed);
      if (seed >= seeds) continue;
      for (const attack of attacks) {
        // Where the attack owns the training there is one model, without amounts.
        for (const amount of attack.amounts.length > 0 ? attack.amounts : [null]) {
          const model = this.#attacked(attack, amount, seed);
          this.#around(
            model,
            `${attack.called}${inWords(amount, embeddings.size > 1)} seed ${seed}`,
            seed,
          );
        }
      }
    }
    return [...this.#trials.values()];
  }

  /** A model trial, and everything that is tried on its model. */
  #around(config: ModelTrial, label: string, seed: number): void {
    const { sanitizers, repairs, deployments, detectors, reference } = this.#choices;
    const family = trialOf(config).key;
    const add = (trial: Trial, part: string) => this.#add(trial, `${label}${part}`, family);
    const { heldOut, allowedDrop, combine } = this.#plan;
    const model = add(trialOf(config), "");
    const sanitized = sanitizers.map((sanitizer) => {
      const trial = trialOf({ ...config, sanitizer: stated(sanitizer), unsanitized: model });
      const part = `, ${sanitizer.called}`;
      return { key: add(trial, part), part };
    });
    for (const r of this.#plan.trusted) {
      const trusted = this.#numberOf(r);
      const said = (...methods: readonly Chosen<unknown>[]) =>
        `, ${methods.map(({ called }) => called).join(" + ")} r=${trusted}`;
      const about = { trusted, pool: this.#images.digests.pool, seed, heldOut };
      const repair = (of: string, { repair, deployment }: Defences) =>
        trialOf({
          ...{ ...about, model: of, kind: "repair" as const, allowedDrop },
          ...{ repair: repair ? stated(repair) : null },
          ...{ deployment: deployment ? stated(deployment) : null },
        });
      // Neither helps a clean model; both could only spoil it.
      if (config.attack !== null) {
        for (const { key, part } of [{ key: model, part: "" }, ...(combine ? sanitized : [])]) {
          for (const defences of together(repairs, deployments, combine)) {
            const methods = [defences.repair ?? [], defences.deployment ?? []].flat();
            add(repair(key, defences), `${part}${said(...methods)}`);
          }
        }
      }
      for (const detector of detectors) {
        const compared = detector.method.needsRepair
          ? add(repair(model, { repair: reference }), said(reference))
          : null;
        const trial = trialOf({
          ...{ ...about, model, kind: "detection" as const },
          ...{ detector: stated(detector), repair: compared },
        });
        add(trial, said(detector));
      }
    }
  }

  #clean(seed: number): ModelTrial {
    const { train, test } = this.#images.digests;
    return {
      kind: "model",
      data: { train, test },
      ...{ network: networkOf(this.#plan), training: this.#plan.training },
      ...{ attack: null, target: null, poisoning: null, surrogate: null },
      ...{ sanitizer: null, unsanitized: null, seed },
    };
  }

  #attacked(attack: ChosenAttack, poisoning: ModelTrial["poisoning"], seed: number): ModelTrial {
    const { target } = this.#plan;
    const needs = attack.method.needs?.(attack.config) ?? [];
    const surrogate = needs.includes("surrogate") ? this.#surrogate() : null;
    return { ...this.#clean(seed), attack: stated(attack), target, poisoning, surrogate };
  }

  /** The surrogate of all attackers: a clean model of its own, from the same start if that is a trained model. */
  #surrogate(): string {
    const { network, training, surrogate } = this.#plan;
    const { width, epochs } = surrogate;
    const own =
      "from" in network
        ? { network: networkOf(this.#plan), training: { ...training, epochs } }
        : { network: ARCHITECTURE.parse({ width }), training: TRAINING.parse({ epochs }) };
    const trial = trialOf({ ...this.#clean(0), ...own });
    return this.#add(trial, "surrogate", trial.key, "surrogate");
  }

  /** Number of trusted images that an r in the file stands for. */
  #numberOf(r: number): number {
    return r < 1 ? Math.round(r * count(this.#images.train)) : Math.round(r);
  }

  /** Whether there is anything to put together. */
  #checkCombined(): void {
    const { sanitizers, repairs, deployments } = this.#choices;
    const kinds = [sanitizers, repairs, deployments].filter(({ length }) => length > 0);
    if (!this.#plan.combine || kinds.length > 1) return;
    throw new AntidoteError("INVALID_CONFIG", "There are no two defences to put together.", {
      place: this.#placeOf("combine"),
      next: "Name two of `sanitizers`, `repairs` and `deployments`, or leave `combine` out.",
    });
  }

  /** Whether there are models, and poisoned ones for whatever is tried on no others. */
  #checkModels(): void {
    if (this.#choices.attacks.length > 0) return;
    const idle = (["repairs", "deployments"] as const).find((key) => this.#choices[key].length > 0);
    if (idle) {
      const message = `\`${idle}\` are for poisoned models, and without attacks there are none.`;
      const next = `Name \`attacks\`, or leave \`${idle}\` out.`;
      throw new AntidoteError("INVALID_CONFIG", message, { place: this.#placeOf(idle), next });
    }
    if (this.#plan.cleanModels > 0) return;
    throw new AntidoteError("INVALID_CONFIG", "There are neither poisoned nor clean models.", {
      place: this.#placeOf("cleanModels"),
      next: "Name `attacks`, or ask for `clean-models`.",
    });
  }

  /** Whether there are the class to aim at and enough images to poison, large enough for the trigger. */
  #checkAttack({ method, config, amounts }: ChosenAttack, at: number): void {
    const { target } = this.#plan;
    const { train } = this.#images;
    try {
      assertClass(target, train.classNames.length);
    } catch (cause) {
      throw placed(cause, this.#placeOf("target"));
    }
    if (!("labels" in method)) return;
    try {
      method.requireRoom?.(train, config);
    } catch (cause) {
      const option = cause instanceof AntidoteError ? cause.place : undefined;
      throw placed(cause, this.#placeOf("attacks", at, option ?? ""), `${method.name}: `);
    }
    for (const [which, amount] of amounts.entries()) {
      try {
        checkPlan(train, method.labels, POISONING.parse({ ...amount, target }));
      } catch (cause) {
        const place = this.#placeOf("attacks", at, "poisoned", which);
        throw placed(cause, place, `${method.name}: `, "Lower `poisoned`.");
      }
    }
  }

  /** Whether trusted images can be drawn and divided as the trials will do it. */
  #checkTrusted(): void {
    const { trusted, heldOut } = this.#plan;
    const { repairs, deployments, detectors } = this.#choices;
    if ([repairs, deployments, detectors].every((methods) => methods.length === 0)) return;
    for (const [at, r] of trusted.map((given) => this.#numberOf(given)).entries()) {
      const random = Random.fromSeed(0);
      try {
        divideTrusted(trustedImages(this.#images, r, random), heldOut, random);
      } catch (cause) {
        const about = `${r} trusted images, ${100 * heldOut} % of which judge: `;
        const next = "Change `trusted` or `heldOut`, or give more images.";
        throw placed(cause, this.#placeOf("trusted", at), about, next);
      }
    }
  }

  /** "FILE:LINE, KEY" of a part of the plan. */
  #placeOf(key: keyof Experiment, ...inside: PropertyKey[]): string {
    return `${this.#plan.placeOf([key, ...inside])}, ${key}`;
  }

  /** @param label for people: "badnets m=50 seed 0, pivotal-tuning r=500" */
  #add(trial: Trial, label: string, family: string, role: Planned["role"] = "subject"): string {
    const planned = { ...trial, label, family, role };
    if (!this.#trials.has(trial.key)) this.#trials.set(trial.key, planned);
    return trial.key;
  }
}

/** How a model that is there is defended: a repair, a defence at inference time, or one after the other. */
interface Defences {
  readonly repair?: Chosen<Repair>;
  readonly deployment?: Chosen<Deployment>;
}

/** Every defence by itself, and, if they are combined, every pair. */
function together(
  repairs: readonly Chosen<Repair>[],
  deployments: readonly Chosen<Deployment>[],
  combine: boolean,
): Defences[] {
  const pairs = repairs.flatMap((repair) =>
    deployments.map((deployment) => ({ repair, deployment })),
  );
  return [
    ...repairs.map((repair) => ({ repair })),
    ...deployments.map((deployment) => ({ deployment })),
    ...(combine ? pairs : []),
  ];
}

/** " m=500·b50 after-augmentation"; the embedding where others differ in it. */
function inWords(amount: Omit<Poisoning, "target"> | null, embedding: boolean): string {
  if (amount === null) return "";
  const { samples, boost, embed } = amount;
  return ` m=${samples}${boost === 1 ? "" : `·b${boost}`}${embedding ? ` ${embed}` : ""}`;
}

/** A method as trials state it. */
function stated({ method: { name }, config }: Configured<{ readonly name: string }>) {
  return { name, options: config };
}

/** The same error, about a part of the plan. */
function placed(cause: unknown, place: string, about = "", next?: string): unknown {
  if (!(cause instanceof AntidoteError)) return cause;
  const advice = next ?? cause.next;
  return new AntidoteError(cause.code, `${about}${cause.message}`, {
    ...{ place, cause },
    ...(advice === undefined ? {} : { next: advice }),
  });
}
