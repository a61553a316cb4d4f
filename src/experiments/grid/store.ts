import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { AntidoteError, type ErrorCode } from "../../core/errors.ts";
import { makeFolder, writeAtomically, writeJson } from "../../core/write-file.ts";
import { type Trial, trialConfig } from "./trial.ts";
import { type TrialRecord, trialRecord } from "./trial-record.ts";

/** Why a trial has no outcome. */
export interface Failure {
  readonly key: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly next: string | null;
}

/**
 * The results of experiments, in a folder:
 *
 *     trials/KEY.json     the record of a trial; a trial is done once this is there, and not before
 *     models/KEY.onnx     its model
 *     triggers/KEY.png    the most suspicious trigger
 *     work/KEY/           what an unfinished trial continues from
 *     failed/KEY.json     why a trial failed; it is tried anew by the next run
 *
 * Every file appears complete or not at all, and two processes that run the same trial write the same.
 */
export class ResultStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder. Throws `OUTPUT_NOT_WRITABLE`. */
  static async open(folder: string): Promise<ResultStore> {
    for (const part of ["trials", "models", "triggers"]) await makeFolder(join(folder, part));
    return new ResultStore(folder);
  }

  /** A store that is there already. Throws `DATA_NOT_FOUND`. */
  static existing(folder: string): ResultStore {
    if (existsSync(join(folder, "trials"))) return new ResultStore(folder);
    throw new AntidoteError("DATA_NOT_FOUND", "There is no result store here.", {
      place: folder,
      next: "Name the folder that `antidote experiment run` was given as --store.",
    });
  }

  has(key: string): boolean {
    return existsSync(this.#record(key));
  }

  /** Whether the model of a trial is kept. */
  hasModel(key: string): boolean {
    return existsSync(this.modelPath(key));
  }

  /** The record of a trial. Throws `DATA_NOT_FOUND`, `DATA_INVALID`. */
  async read(key: string): Promise<TrialRecord> {
    const path = this.#record(key);
    try {
      return trialRecord.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
        throw new AntidoteError("DATA_NOT_FOUND", `The store has no trial ${key}.`, {
          place: path,
          next: "List the trials with `antidote experiment show`.",
        });
      }
      throw new AntidoteError("DATA_INVALID", "The record of a trial cannot be read.", {
        place: path,
        next: "Delete the file and run the experiment again: only this trial is repeated.",
        cause,
      });
    }
  }

  /** Every record, by key. Throws `DATA_INVALID`. */
  async all(): Promise<TrialRecord[]> {
    const keys = await this.keys();
    return await Promise.all(keys.map((key) => this.read(key)));
  }

  /** The keys of all trials that are done, ascending. */
  async keys(): Promise<string[]> {
    const names = await readdir(join(this.folder, "trials"));
    return names
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.slice(0, -".json".length))
      .sort();
  }

  /** Writes a record down: the last thing that a trial does. */
  async add(record: TrialRecord): Promise<void> {
    await writeJson(this.#record(record.key), record);
    await rm(this.#failure(record.key), { force: true });
    await rm(this.#work(record.key), { recursive: true, force: true });
  }

  /** Where the model of a trial is, or goes. */
  modelPath(key: string): string {
    return join(this.folder, "models", `${key}.onnx`);
  }

  /** Keeps the picture of a trigger; returns its path within the store. */
  async keepTrigger(key: string, png: Uint8Array): Promise<string> {
    const path = join("triggers", `${key}.png`);
    await writeAtomically(join(this.folder, path), [{ offset: 0, bytes: png }]);
    return path;
  }

  /** A folder for what an unfinished trial continues from. */
  async workFolder(key: string): Promise<string> {
    await makeFolder(this.#work(key));
    return this.#work(key);
  }

  async addFailure(failure: Failure): Promise<void> {
    await makeFolder(join(this.folder, "failed"));
    await writeJson(this.#failure(failure.key), failure);
  }

  /** Why trials failed that are not done since. */
  async failures(): Promise<Failure[]> {
    const folder = join(this.folder, "failed");
    const names = existsSync(folder) ? await readdir(folder) : [];
    return await Promise.all(
      names
        .filter((name) => name.endsWith(".json"))
        .map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")) as Failure),
    );
  }

  /** Takes over a trial of another store, its files first. */
  async adopt(from: ResultStore, record: TrialRecord): Promise<void> {
    for (const path of [record.model, record.trigger]) {
      // Records may be shared without the files.
      if (path === null || !existsSync(join(from.folder, path))) continue;
      const to = join(this.folder, path);
      await mkdir(dirname(to), { recursive: true });
      await copyFile(join(from.folder, path), `${to}.${process.pid}.part`);
      await rename(`${to}.${process.pid}.part`, to);
    }
    await this.add(record);
  }

  #record(key: string): string {
    return join(this.folder, "trials", `${key}.json`);
  }

  #failure(key: string): string {
    return join(this.folder, "failed", `${key}.json`);
  }

  #work(key: string): string {
    return join(this.folder, "work", key);
  }
}

/** An experiment as the store remembers it: what it is, and which trials are its own. */
export interface KeptPlan {
  readonly experiment: { readonly name: string };
  readonly trials: readonly KeptTrial[];
}

/** A trial of an experiment, whether or not it is done. */
export interface KeptTrial extends Trial {
  readonly label: string;
  /** What it is to the experiment: what is studied, or the network that attackers have. */
  readonly role: "subject" | "surrogate";
}

/** Notes which trials are an experiment's, for whoever reads the store later without the images. */
export async function keepPlan({ folder }: ResultStore, plan: KeptPlan): Promise<void> {
  await makeFolder(join(folder, "experiments"));
  await writeJson(join(folder, "experiments", `${plan.experiment.name}.json`), plan);
}

/** Every experiment that a store remembers. Throws `DATA_INVALID`. */
export async function keptPlans({ folder }: ResultStore): Promise<KeptPlan[]> {
  const plans = join(folder, "experiments");
  const names = existsSync(plans) ? await readdir(plans) : [];
  return await Promise.all(
    names
      .filter((name) => name.endsWith(".json"))
      .sort()
      .map(async (name) => {
        const path = join(plans, name);
        try {
          return keptPlan.parse(JSON.parse(await readFile(path, "utf8")));
        } catch (cause) {
          throw new AntidoteError(
            "DATA_INVALID",
            "What the store knows of an experiment cannot be read.",
            {
              place: path,
              next: "Delete the file, then run the experiment again: no trial is repeated.",
              cause,
            },
          );
        }
      }),
  );
}

const keptPlan = z.strictObject({
  experiment: z.looseObject({ name: z.string() }),
  trials: z.array(
    z.strictObject({
      ...{ key: z.string(), label: z.string() },
      ...{ role: z.enum(["subject", "surrogate"]), config: trialConfig },
    }),
  ),
});
