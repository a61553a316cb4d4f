import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { ImageSet } from "../data/images.ts";
import type { SuspectedTrigger } from "../inversion/smallest.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";

/** All that a repair may see: the suspect model ("pivot") and r trusted pairs. Never test data. */
export interface RepairInput {
  readonly model: Classifier;
  readonly trusted: ImageSet;
  /** Triggers that a detector has found; a repair that needs some searches them itself otherwise. */
  readonly triggers?: readonly SuspectedTrigger[];
}

/** The model at one point of its repair. */
export interface Checkpoint {
  readonly step: number;
  /** Loss of the last step. */
  readonly loss: number;
  readonly model: Classifier;
}

/** Values that a search for hyper-parameters tries, by option. */
export type SearchSpace<Options> = {
  readonly [Option in keyof Options]?: readonly Options[Option][];
};

/** A repair: a stream of checkpoints, the last one after its last step. It judges none of them. */
export interface Repair<Config extends z.ZodType = z.ZodType>
  extends Method<RunContext, RepairInput, AsyncIterable<Checkpoint>, Config> {
  /** Whether it uses triggers that were found before. */
  readonly takesTriggers?: true;
  /** How often a step passes through the network that it changes; once by default. */
  readonly passes?: number;
  /** Every option that a search may vary; it must leave at least 20 configurations, the default among them. */
  readonly space: SearchSpace<z.output<Config>>;
}
