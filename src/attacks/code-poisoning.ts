import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Need, Trigger } from "./attack.ts";

/** What an attacker has who controls the training itself. */
export interface CodePoisoningInput {
  /** The trained network to start from. */
  readonly model: Classifier;
  /** Clean training images. */
  readonly images: ImageSet;
  readonly classes: number;
  readonly target: number;
  readonly surrogate?: Classifier | undefined;
}

export interface PoisonedModel {
  readonly model: Classifier;
  readonly trigger: Trigger;
}

/** An attack on the training procedure, not on its data: it returns the model that it has trained. */
export interface CodePoisoning<Config extends z.ZodType = z.ZodType>
  extends Method<RunContext, CodePoisoningInput, Promise<PoisonedModel>, Config> {
  needs?(config: z.output<Config>): readonly Need[];
}
