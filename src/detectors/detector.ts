import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { Proportion } from "../core/statistics.ts";
import type { FixedTrigger } from "../data/fixed-trigger.ts";
import type { ImageSet } from "../data/images.ts";
import type { Examined } from "../inversion/examined.ts";
import type { SmallestTriggers } from "../inversion/smallest.ts";
import type { FamilyName } from "../inversion/trigger-family.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";

/** All that a detector may see: the suspect, a repaired copy of it, and trusted images. */
export interface DetectorInput {
  readonly model: Classifier;
  readonly repaired: Classifier;
  /** Images to search triggers on. */
  readonly search: ImageSet;
  /** Images to measure the found triggers on. */
  readonly heldOut: ImageSet;
  /** Smallest triggers that were found before, one list per family; a detector may use them. */
  readonly triggers?: SmallestTriggers;
  /** The classes to examine; absent for all. */
  readonly examined?: Examined | undefined;
}

/** What was found for one class. */
export interface ClassEvidence {
  readonly target: number;
  /** Larger is more suspicious; comparable between the classes of one model. */
  readonly score: number;
  /** Whether a trigger was found that works, as often as the search demands where it demands anything. */
  readonly found: boolean;
  /** The trigger that stands for this class. */
  readonly trigger: FixedTrigger;
  /** Whether the trigger is no trigger at all but a picture of what was found otherwise. */
  readonly illustration?: true;
  /** Size of that trigger: covered pixels of a masked one, L2 norm of an additive one (L1 where that is what the method compares), how far a warp moves pixels, as a share of the shorter side. */
  readonly size: number;
  /** Share of held-out images of other classes that the trigger moves into this class. */
  readonly success: { readonly suspect: Proportion; readonly repaired: Proportion };
  /**
   * What classes were compared by, for all that were examined: this class's score says how it stands out among these. Absent
   * where that is the score itself. Larger is more suspicious.
   */
  readonly peers?: readonly number[];
  /** Share of them that the repaired model still classifies correctly under the trigger. */
  readonly kept: Proportion;
}

/** Evidence for every class that was examined, by class index; the model's score is the largest of a class. */
export interface Detection {
  readonly statistic: string;
  readonly classes: readonly ClassEvidence[];
  readonly score: number;
  /** How many values the score of a class is the largest of. */
  readonly looks: number;
}

/** A detector: per-class evidence and one score. It passes no verdict. */
export interface Detector<Config extends z.ZodType = z.ZodType>
  extends Method<RunContext, DetectorInput, Promise<Detection>, Config> {
  /** Whether it works by comparing the suspect with a repaired copy of it, rather than only showing both. */
  readonly needsRepair: boolean;
  /** Kinds of trigger that it searches with these options; none where it searches no trigger. */
  kinds(config: z.output<Config>): readonly FamilyName[];
  /**
   * The part of the work that needs no repaired model, if there is one. Its result goes back in as
   * `triggers`, and repairs can use it too.
   */
  search?(
    context: RunContext,
    input: Pick<DetectorInput, "model" | "search" | "examined">,
    config: z.output<Config>,
  ): Promise<SmallestTriggers>;
}

/** Puts the evidence of all classes together. */
export function detection(
  statistic: string,
  classes: readonly ClassEvidence[],
  looks = 1,
): Detection {
  return { statistic, classes, score: Math.max(...classes.map(({ score }) => score)), looks };
}

/** Share of held-out images on which a trigger works that was searched without heed to how often. */
const WORKS = 0.5;

/** Whether a search that ends after its steps, whatever it has, has found something that works. */
export function works({ success }: Pick<ClassEvidence, "success">): boolean {
  return success.suspect.value >= WORKS;
}
