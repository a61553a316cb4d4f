import type { Attack } from "../../attacks/attack.ts";
import type { CodePoisoning } from "../../attacks/code-poisoning.ts";
import { ATTACKS, CODE_POISONINGS } from "../../attacks/index.ts";
import { checkPlan, POISONING } from "../../attacks/poison.ts";
import { PRESETS, type Preset } from "../../attacks/presets.ts";
import { chooseMethod, type MethodChoice } from "../../audit/method-choice.ts";
import type { Configured } from "../../audit/options.ts";
import { AntidoteError } from "../../core/errors.ts";
import { count } from "../../data/images.ts";
import type { Deployment } from "../../deployments/deployment.ts";
import { DEPLOYMENTS } from "../../deployments/index.ts";
import type { Detector } from "../../detectors/detector.ts";
import { DETECTORS } from "../../detectors/index.ts";
import { ARCHITECTURE } from "../../models/fresh.ts";
import { REPAIRS } from "../../repairs/index.ts";
import { SANITIZERS } from "../../sanitizers/index.ts";
import type { Sanitizer } from "../../sanitizers/sanitizer.ts";
import { TRAINING } from "../../train/config.ts";
import type { Experiment } from "./experiment-file.ts";
import type { Images } from "./materials.ts";
import type { Methods } from "./methods.ts";
import type { KeptTrial } from "./store.ts";
import { type ModelTrial, type RepairTrial, type Trial, trialOf } from "./trial.ts";

/** A trial of an experiment. */
export interface Planned extends KeptTrial {
  /** Key of the attacked or clean model that everything around it belongs to: what shards are made of. */
  readonly family: string;
}

type AnyAttack = Attack | CodePoisoning;
type Amount = Pick<ModelTrial, "poisoning"> & { readonly said: string };

/**
 * All trials of an experiment, each once, in an order in which every trial comes after those that it needs. Models
 * are shared: one serves all repairs and detectors.
 * @throws `UNKNOWN_METHOD`, `INVALID_CONFIG`
 */
export function expand(plan: Experiment, images: Images): Planned[] {
  return new Expansion(plan, images).run();
}

class Expansion {
  readonly #plan: Experiment;
  readonly #images: Images;
  readonly #trials = new Map<string, Planned>();

  constructor(plan: Experiment, images: Images) {
    this.#plan = plan;
    this.#images = images;
  }

  run(): Planned[] {
    const { attacks, seeds, cleanModels } = this.#plan;
    const chosen = attacks.map((attack) => this.#attack(attack));
    for (let seed = 0; seed < Math.max(seeds, cleanModels); seed++) {
      if (seed < cleanModels) this.#around(this.#clean(seed), `clean seed ${seed}`, seed);
      if (seed >= seeds) continue;
      for (const { attack, amounts } of chosen) {
        for (const { poisoning, said } of amounts) {
          const model = this.#attacked(attack, poisoning, seed);
          this.#around(model, `${attack.method.name}${said} seed ${seed}`, seed);
        }
      }
    }
    return [...this.#trials.values()];
  }

  /** A model trial, and everything that is tried on its model. */
  #around(config: ModelTrial, label: string, seed: number): void {
    const { sanitizers, repairs, deployments, detectors, trusted } = this.#plan;
    const family = trialOf(config).key;
    const add = (trial: Trial, part: string) => this.#add(trial, `${label}${part}`, family);
    const model = add(trialOf(config), "");
    for (const choice of sanitizers) {
      const sanitizer = stated(
        chooseMethod("sanitizer", SANITIZERS as Methods<Sanitizer>, named(choice)),
      );
      const trial = trialOf({ ...config, sanitizer, unsanitized: model });
      add(trial, `, ${choice.name}`);
    }
    for (const r of trusted) {
      const wanted = r < 1 ? Math.round(r * count(this.#images.train)) : Math.round(r);
      const said = ` r=${wanted}`;
      const about = { model, trusted: wanted, seed, heldOut: this.#plan.heldOut };
      const repair = (choice: MethodChoice<string> | null, deployment: RepairTrial["deployment"]) =>
        trialOf({
          ...about,
          kind: "repair" as const,
          repair: choice && stated(chooseMethod("repair", REPAIRS, choice)),
          deployment,
          allowedDrop: this.#plan.allowedDrop,
        });
      // Neither helps a clean model; both could only spoil it.
      if (config.attack !== null) {
        for (const choice of repairs) add(repair(named(choice), null), `, ${choice.name}${said}`);
        for (const choice of deployments) {
          const deployment = stated(
            chooseMethod("deployment", DEPLOYMENTS as Methods<Deployment>, named(choice)),
          );
          add(repair(null, deployment), `, ${choice.name}${said}`);
        }
      }
      for (const choice of detectors) {
        const detector = chooseMethod("detector", DETECTORS, named(choice));
        const { reference } = this.#plan;
        const compared = (detector.method as Detector).needsRepair
          ? add(repair(named(reference), null), `, ${reference.name}${said}`)
          : null;
        const trial = trialOf({
          ...about,
          ...{ kind: "detection" as const, detector: stated(detector), repair: compared },
        });
        add(trial, `, ${choice.name}${said}`);
      }
    }
  }

  #clean(seed: number): ModelTrial {
    return {
      kind: "model",
      data: this.#images.digests,
      ...{ network: this.#plan.network, training: this.#plan.training },
      ...{ attack: null, target: null, poisoning: null, surrogate: null },
      ...{ sanitizer: null, unsanitized: null, seed },
    };
  }

  #attacked(
    attack: Configured<AnyAttack>,
    poisoning: ModelTrial["poisoning"],
    seed: number,
  ): ModelTrial {
    const { target } = this.#plan;
    const needs = attack.method.needs?.(attack.config as never) ?? [];
    if (needs.includes("photographs")) {
      throw new AntidoteError(
        "INVALID_CONFIG",
        `${attack.method.name} asks for photographs, which an experiment cannot give it.`,
        { place: "attacks", next: "Choose a mode of the attack that needs none." },
      );
    }
    const surrogate = needs.includes("surrogate") ? this.#surrogate() : null;
    return { ...this.#clean(seed), attack: stated(attack), target, poisoning, surrogate };
  }

  /** The surrogate of all attackers: a clean model of its own. */
  #surrogate(): string {
    const { width, epochs } = this.#plan.surrogate;
    const network = ARCHITECTURE.parse({ width });
    const trial = trialOf({ ...this.#clean(0), network, training: TRAINING.parse({ epochs }) });
    return this.#add(trial, "surrogate", trial.key, "surrogate");
  }

  /** An attack with its amounts of poison; checked before anything runs. */
  #attack(choice: Experiment["attacks"][number]): {
    readonly attack: Configured<AnyAttack>;
    readonly amounts: readonly Amount[];
  } {
    const { poisoned, boost, embed, ...rest } = choice as AttackChoice;
    const methods: Readonly<Record<string, AnyAttack>> = { ...ATTACKS, ...CODE_POISONINGS };
    const attack = chooseMethod("attack", methods, rest);
    if (!("labels" in attack.method)) return { attack, amounts: [{ poisoning: null, said: "" }] };
    const { preset, target } = this.#plan;
    const presets: Readonly<Record<string, Preset>> = preset ? PRESETS[preset] : {};
    const paper = presets[rest.name];
    const amounts = [poisoned ?? paper?.samples ?? []].flat();
    if (amounts.length === 0) {
      throw new AntidoteError("INVALID_CONFIG", `Nothing says how much ${rest.name} poisons.`, {
        place: "attacks",
        next: "Give the attack `poisoned`, or the experiment a `preset`.",
      });
    }
    const { labels } = attack.method;
    return {
      attack,
      amounts: amounts.map((samples) => {
        const given = { samples, boost: boost ?? paper?.boost, embed: embed ?? paper?.embed };
        const full = POISONING.parse({ ...given, target });
        checkPlan(this.#images.train, labels, full);
        const { target: _, ...poisoning } = full;
        const times = full.boost === 1 ? "" : `·b${full.boost}`;
        return { poisoning, said: ` m=${samples}${times}` };
      }),
    };
  }

  /** @param label for people: "badnets m=50 seed 0, pivotal-tuning r=500" */
  #add(trial: Trial, label: string, family: string, role: Planned["role"] = "subject"): string {
    const planned = { ...trial, label, family, role };
    if (!this.#trials.has(trial.key)) this.#trials.set(trial.key, planned);
    return trial.key;
  }
}

interface AttackChoice extends MethodChoice<string> {
  readonly poisoned?: number | readonly number[];
  readonly boost?: number;
  readonly embed?: Preset["embed"];
}

function named(choice: { readonly name: string }): MethodChoice<string> {
  return choice as MethodChoice<string>;
}

/** A method as trials state it. */
function stated({ method, config }: Configured<{ readonly name: string }>) {
  return { name: method.name, options: config };
}
