import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { AugmentOptions } from "../data/augment.ts";
import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { AttackInput, Need, Trigger } from "./attack.ts";

/** What an attacker has who controls the training itself. */
export interface CodePoisoningInput extends Pick<AttackInput, "classes" | "target" | "surrogate"> {
  /** Clean training images. */
  readonly images: ImageSet;
  /** How training moves clean images. */
  readonly augmentation?: AugmentOptions | undefined;
}

/** An attack that is ready to train: everything that could be wrong with its options has been found. */
export interface PoisonedTraining {
  readonly trigger: Trigger;
  /** Goes on with a trained network. Throws `DIVERGED`, `CANCELLED` and the errors of the device. */
  train(model: Classifier): Promise<Classifier>;
}

/** An attack on the training procedure, not on its data. */
export interface CodePoisoning<Config extends z.ZodType = z.ZodType>
  extends Method<RunContext, CodePoisoningInput, Promise<PoisonedTraining>, Config> {
  needs?(config: z.output<Config>): readonly Need[];
  /** The trigger alone, for whoever measures what the attack has left in a network. */
  trigger(context: RunContext, input: AttackInput, config: z.output<Config>): Promise<Trigger>;
}
