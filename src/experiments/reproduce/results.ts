import type { KeptTrial } from "../grid/plans.ts";
import type { Snapshot } from "../grid/snapshot.ts";
import type { DetectionTrial, ModelTrial, RepairTrial } from "../grid/trial.ts";
import type {
  DetectionOutcome,
  ModelOutcome,
  RepairOutcome,
  TrialRecord,
} from "../grid/trial-record.ts";

/** A trial of an experiment with what came out of it, if it is done. */
export interface Result<Config, Outcome> {
  readonly key: string;
  readonly label: string;
  readonly config: Config;
  readonly outcome: Outcome | undefined;
  /** Path of the trigger's picture within the store. */
  readonly trigger: string | null;
}

export type ModelResult = Result<ModelTrial, ModelOutcome>;
export type RepairResult = Result<RepairTrial, RepairOutcome>;
export type DetectionResult = Result<DetectionTrial, DetectionOutcome>;

/** The models of one attack with one amount of poison, by seed; of none, the clean ones. */
export interface Group {
  /** Null for clean models. */
  readonly attack: string | null;
  /** m; null for clean models and for attacks that own the training. */
  readonly poisoned: number | null;
  readonly boost: number;
  readonly models: readonly ModelResult[];
}

/** What an experiment has found so far, as tables and figures ask for it. */
export class Results {
  readonly #trials: readonly Result<KeptTrial["config"], TrialRecord["outcome"]>[];

  constructor(trials: readonly Result<KeptTrial["config"], TrialRecord["outcome"]>[]) {
    this.#trials = trials;
  }

  /** An experiment's trials, by its name; trials that are not done have no outcome. Of nothing if the store does not know it. */
  static named({ plans, records }: Pick<Snapshot, "plans" | "records">, name: string): Results {
    const plan = plans.find(({ experiment }) => experiment.name === name);
    const subjects = plan?.trials.filter(({ role }) => role === "subject") ?? [];
    return new Results(
      subjects.map(({ key, label, config }) => {
        const { outcome, trigger = null } = records.get(key) ?? {};
        return { key, label, config, outcome, trigger };
      }),
    );
  }

  /** Models without a sanitizer, grouped. */
  get groups(): Group[] {
    const groups = new Map<
      string,
      { -readonly [K in keyof Group]: Group[K] } & { models: ModelResult[] }
    >();
    for (const trial of this.#trials) {
      if (trial.config.kind !== "model" || trial.config.sanitizer !== null) continue;
      const { attack, poisoning } = trial.config;
      const about = {
        attack: attack?.name ?? null,
        poisoned: poisoning?.samples ?? null,
        boost: poisoning?.boost ?? 1,
      };
      const id = JSON.stringify(about);
      const group = groups.get(id) ?? { ...about, models: [] };
      group.models.push(trial as ModelResult);
      groups.set(id, group);
    }
    return [...groups.values()];
  }

  /** The poisoned models of an attack, in the order of m. */
  attacked(attack: string): Group[] {
    return this.groups
      .filter((group) => group.attack === attack)
      .sort((a, b) => (a.poisoned ?? 0) - (b.poisoned ?? 0));
  }

  /** The same, together. */
  modelsOf(attack: string): readonly ModelResult[] {
    return this.attacked(attack).flatMap((group) => group.models);
  }

  get clean(): readonly ModelResult[] {
    return this.groups.find(({ attack }) => attack === null)?.models ?? [];
  }

  /** What repairs came to on these models, without another defence. */
  repairs(
    models: readonly ModelResult[],
    repair: string,
    trusted?: number,
  ): readonly RepairResult[] {
    const keys = new Set(models.map(({ key }) => key));
    return this.#trials.filter(
      (trial): trial is RepairResult =>
        trial.config.kind === "repair" &&
        keys.has(trial.config.model) &&
        trial.config.repair?.name === repair &&
        trial.config.deployment === null &&
        (trusted === undefined || trial.config.trusted === trusted),
    );
  }

  /** What a detector found in these models. */
  detections(models: readonly ModelResult[], detector: string): readonly DetectionResult[] {
    const keys = new Set(models.map(({ key }) => key));
    return this.#trials.filter(
      (trial): trial is DetectionResult =>
        trial.config.kind === "detection" &&
        keys.has(trial.config.model) &&
        trial.config.detector.name === detector,
    );
  }

  /** All numbers of trusted images that repairs had, ascending. */
  get trusted(): number[] {
    const all = this.#trials.flatMap(({ config }) =>
      config.kind === "repair" ? [config.trusted] : [],
    );
    return [...new Set(all)].sort((a, b) => a - b);
  }
}

/** What is there of a property of outcomes that are there. */
export function valuesOf<Outcome>(
  results: readonly { readonly outcome: Outcome | undefined }[],
  value: (outcome: Outcome) => number | null | undefined,
): number[] {
  return results.flatMap(({ outcome }) => (outcome ? (value(outcome) ?? []) : []));
}
