import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Classifier } from "../models/classifier.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Attack, AttackInput, Trigger } from "./attack.ts";
import { Pgd } from "./pgd.ts";

/** Options of the adversarial trigger. */
export const ADVERSARIAL = z.strictObject({
  steps: z.int().min(1).default(4).describe("steps of projected gradient descent"),
  epsilon: z
    .number()
    .gt(0)
    .max(1)
    .default(8 / 255)
    .describe("ε, largest change of a value, in units of [0,1]"),
  stepSize: z
    .number()
    .gt(0)
    .max(1)
    .default(2 / 255)
    .describe("α, change of a value in one step, in units of [0,1]"),
  direction: z
    .enum(["targeted", "untargeted"])
    .default("targeted")
    .describe(
      "towards a class of the surrogate as in the paper, or away from its answer as in the released code",
    ),
  surrogateClass: z
    .int()
    .min(0)
    .optional()
    .describe(
      "class of the surrogate that a targeted trigger leads to (default: the one after the target)",
    ),
});

type Adversarial = z.output<typeof ADVERSARIAL>;

/**
 * No visible patch: images are perturbed so that a surrogate network takes them for one of its classes. The
 * victim, trained on images of the target class with this perturbation and their true labels, learns to take
 * the perturbation for the target.
 */
export const adv: Attack<typeof ADVERSARIAL> = {
  name: "adv",
  summary: "Adversarial perturbations of images of the target class, found on a surrogate network.",
  source: {
    paper: "Label-Consistent Backdoor Attacks",
    authors: "Turner, Tsipras, Madry",
    year: 2019,
    section: "3.3; Pick your Poison (Lukas & Kerschbaum, 2023), Section V-B",
    deviations: [
      "There is no patch beside the perturbation, and test images are perturbed in the same way, as in Pick your Poison.",
      "The surrogate is what the user names or a small network for the same images, not the paper's ImageNet ResNet-18 with class 421.",
      "The step of 2/255 is that of the released code; the paper names none.",
    ],
  },
  labels: "clean",
  config: ADVERSARIAL,
  needs: () => ["surrogate"],
  async run(context, input, options) {
    return adversarialTrigger(context, input, options);
  },
};

/** @throws `INVALID_CONFIG` without a surrogate, or if it does not fit the images or has no such class */
export function adversarialTrigger(
  context: RunContext,
  { geometry, target, surrogate }: AttackInput,
  { steps, epsilon, stepSize, direction, surrogateClass }: Adversarial,
): Trigger {
  if (!surrogate) {
    throw new AntidoteError("INVALID_CONFIG", "The attack needs a surrogate network.", {
      place: "surrogate",
      next: "Add --surrogate FILE, an ONNX classifier for such images; train keeps the one it makes.",
    });
  }
  if (surrogate.image.channels !== geometry.channels) {
    throw new AntidoteError(
      "INVALID_CONFIG",
      `The surrogate reads ${surrogate.image.channels} channels, the images have ${geometry.channels}.`,
      { place: "surrogate", next: "Name a classifier for images with as many channels." },
    );
  }
  const towards =
    direction === "targeted" ? surrogateClassOf(surrogate, target, surrogateClass) : undefined;
  const pgd = new Pgd(context, surrogate, geometry, { steps, epsilon, stepSize, towards });
  const stamp: Trigger["stampTest"] = (images) => pgd.perturb(images);
  return { stampTraining: stamp, stampTest: stamp, release: () => pgd.release() };
}

function surrogateClassOf(
  { classes }: Classifier,
  target: number,
  named: number | undefined,
): number {
  if (named === undefined) return (target + 1) % classes;
  if (named < classes) return named;
  throw new AntidoteError("INVALID_CONFIG", `The surrogate has no class ${named}.`, {
    place: "surrogateClass",
    next: `Choose a class from 0 to ${classes - 1}.`,
  });
}
