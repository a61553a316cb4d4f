import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { makeFolder, writeJson } from "../../core/write-file.ts";
import { documentsIn, parsed } from "./json-documents.ts";
import type { ResultStore } from "./store.ts";
import { type Trial, trialConfig, trialKey } from "./trial.ts";

const planDocument = z.strictObject({
  // The name of a file is made of it.
  experiment: z.looseObject({ name: z.string().regex(/^[^/\\]+$/) }),
  trials: z.array(
    z.strictObject({
      ...{ key: trialKey, label: z.string() },
      ...{ role: z.enum(["subject", "surrogate"]), config: trialConfig },
    }),
  ),
});

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

/**
 * Notes which trials are an experiment's, for whoever reads the store later without the images. What was known of one of this
 * name is replaced.
 */
export async function keepPlan({ folder }: ResultStore, plan: KeptPlan): Promise<void> {
  await makeFolder(join(folder, "experiments"));
  await writeJson(join(folder, "experiments", `${plan.experiment.name}.json`), plan);
}

/** Trials of an experiment of the same name that are done, and are none of this one: its file was another one, or has changed. */
export async function outgrown(store: ResultStore, plan: KeptPlan): Promise<KeptTrial[]> {
  const own = new Set(plan.trials.map(({ key }) => key));
  // None was known before, or what was known cannot be read.
  const known = await keptPlan(store, plan.experiment.name).catch(() => undefined);
  return known?.trials.filter(({ key }) => !own.has(key) && store.has(key)) ?? [];
}

/** Names of the experiments that a store remembers, ascending. */
export function planNames({ folder }: ResultStore): Promise<string[]> {
  return documentsIn(join(folder, "experiments"));
}

/** An experiment that a store remembers. Throws `DATA_INVALID`. */
export async function keptPlan({ folder }: ResultStore, name: string): Promise<KeptPlan> {
  const path = join(folder, "experiments", `${name}.json`);
  const wrong = "What the store knows of an experiment cannot be read.";
  const next = "Delete the file, then run the experiment again: no trial is repeated.";
  return parsed(await readFile(path, "utf8"), planDocument, path, wrong, next);
}
