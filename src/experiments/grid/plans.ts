import { join } from "node:path";
import { z } from "zod";
import { makeFolder, writeJson } from "../../core/write-file.ts";
import { documentsIn, readDocument } from "./json-documents.ts";
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

/** What a plan leaves behind that takes the place of another one of its name: trials that are done and none of its own. */
export interface Outgrown {
  /** How many of them the plan makes again: with other settings, or because another version of Antidote made them. */
  readonly again: number;
  /** How many it has nothing in the place of. */
  readonly gone: number;
}

export async function outgrown(store: ResultStore, plan: KeptPlan): Promise<Outgrown> {
  const own = new Set(plan.trials.map(({ key }) => key));
  const labels = new Set(plan.trials.map(({ label }) => label));
  // None was known before, or what was known cannot be read.
  const known = await keptPlan(store, plan.experiment.name).catch(() => undefined);
  const left = known?.trials.filter(({ key }) => !own.has(key) && store.has(key)) ?? [];
  const again = left.filter(({ label }) => labels.has(label)).length;
  return { again, gone: left.length - again };
}

/** Names of the experiments that a store remembers, ascending. */
export function planNames({ folder }: ResultStore): Promise<string[]> {
  return documentsIn(join(folder, "experiments"));
}

/** An experiment that a store remembers. Throws `DATA_NOT_FOUND`, `DATA_INVALID`. */
export function keptPlan({ folder }: ResultStore, name: string): Promise<KeptPlan> {
  return readDocument(join(folder, "experiments", `${name}.json`), planDocument, {
    missing: `The store knows no experiment "${name}".`,
    damaged: "What the store knows of an experiment cannot be read.",
    find: "List the experiments with `antidote experiment status`.",
    mend: "Delete the file, then run the experiment again: no trial is repeated.",
  });
}
