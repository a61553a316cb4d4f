import { existsSync } from "node:fs";
import { copyFile, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AntidoteError, invariant } from "../../core/errors.ts";
import {
  besides,
  isUnfinished,
  makeFolder,
  notWritable,
  writeAtomically,
  writeJson,
} from "../../core/write-file.ts";
import { documentsIn, readDocument } from "./json-documents.ts";
import { trialKey } from "./trial.ts";
import { type TrialFailure, type TrialRecord, trialFailure, trialRecord } from "./trial-record.ts";

/** Age from which an unfinished file is what a killed process has left, in milliseconds. */
const ABANDONED = 3_600_000;

/** Where a store has its files; whatever else the folder holds is none of its business. */
const FOLDERS = ["trials", "models", "triggers", "experiments", "failed", "work"];

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

  /** Makes the folder, and clears away what killed processes have left in it. Throws `OUTPUT_NOT_WRITABLE`. */
  static async open(folder: string): Promise<ResultStore> {
    for (const part of ["trials", "models", "triggers"]) await makeFolder(join(folder, part));
    const store = new ResultStore(folder);
    await store.#tidy();
    return store;
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

  /** Whether a trial is done and its model is kept, for others to take. */
  hasModel(key: string): boolean {
    return this.has(key) && existsSync(this.modelPath(key));
  }

  /** The record of a trial. Throws `DATA_NOT_FOUND`, `DATA_INVALID`. */
  async read(key: string): Promise<TrialRecord> {
    const path = this.#record(key);
    const mend = "Delete the file and run the experiment again: only this trial is repeated.";
    const record = await readDocument(path, trialRecord, {
      missing: `The store has no trial ${key}.`,
      damaged: "The record of a trial cannot be read.",
      find: "List the trials with `antidote experiment show`.",
      mend,
    });
    if (record.key === key) return record;
    throw new AntidoteError("DATA_INVALID", `The record is that of another trial, ${record.key}.`, {
      ...{ place: path, next: mend },
    });
  }

  /** The keys of all trials that are done, ascending. */
  async keys(): Promise<string[]> {
    return (await documentsIn(join(this.folder, "trials"))).filter(isKey);
  }

  /** Writes a record down: the last thing that a trial does. */
  async add(record: TrialRecord): Promise<void> {
    // A number that JSON cannot hold would make the whole store unreadable.
    const { success, error } = trialRecord.safeParse(JSON.parse(JSON.stringify(record)));
    invariant(success, `the record of a trial is not as described: ${error?.message}`);
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
    const path = `triggers/${key}.png`;
    await writeAtomically(join(this.folder, path), [{ offset: 0, bytes: png }]);
    return path;
  }

  /** A folder for what an unfinished trial continues from. */
  async workFolder(key: string): Promise<string> {
    await makeFolder(this.#work(key));
    return this.#work(key);
  }

  async addFailure(failure: TrialFailure): Promise<void> {
    await makeFolder(join(this.folder, "failed"));
    await writeJson(this.#failure(failure.key), failure);
  }

  /** The keys of trials that failed and are not done since, ascending. */
  async failedKeys(): Promise<string[]> {
    const keys = (await documentsIn(join(this.folder, "failed"))).filter(isKey);
    return keys.filter((key) => !this.has(key));
  }

  /** Why a trial failed. Throws `DATA_NOT_FOUND`, `DATA_INVALID`. */
  failure(key: string): Promise<TrialFailure> {
    return readDocument(this.#failure(key), trialFailure, {
      missing: `Trial ${key} has not failed.`,
      damaged: "What the store knows of a failure cannot be read.",
      find: "List the trials with `antidote experiment show`.",
      mend: "Delete the file.",
    });
  }

  /** Takes over a trial of another store, its files first, as far as they were kept: records may be shared without models. Throws `OUTPUT_NOT_WRITABLE`. */
  async adopt(from: ResultStore, record: TrialRecord): Promise<void> {
    for (const path of [record.model, record.trigger]) {
      if (path === null) continue;
      const source = join(from.folder, path);
      if (!existsSync(source)) continue;
      const to = join(this.folder, path);
      await makeFolder(dirname(to));
      const aside = besides(to);
      try {
        await copyFile(source, aside);
        await rename(aside, to);
      } catch (cause) {
        await rm(aside, { force: true }).catch(() => {});
        throw notWritable(to, cause);
      }
    }
    await this.add(record);
  }

  /** Removes files that were never finished, and what finished trials would have continued from. */
  async #tidy(): Promise<void> {
    const options = { recursive: true, withFileTypes: true } as const;
    // Others may be at work in the folder at the same time.
    const entriesIn = (part: string) => readdir(join(this.folder, part), options).catch(() => []);
    for (const entry of (await Promise.all(FOLDERS.map(entriesIn))).flat()) {
      const path = join(entry.parentPath, entry.name);
      if (isUnfinished(entry.name)) {
        const written = await stat(path).catch(() => undefined);
        if (written && Date.now() - written.mtimeMs > ABANDONED) await rm(path, { force: true });
      } else if (path === this.#work(entry.name) && this.has(entry.name)) {
        await rm(path, { recursive: true, force: true });
      }
    }
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

function isKey(name: string): boolean {
  return trialKey.safeParse(name).success;
}
