import type { z } from "zod";
import { crossEntropy } from "../train/losses.ts";
import { sgd } from "../train/optimisers.ts";
import { constant } from "../train/schedules.ts";
import type { FineTunePlan } from "./fine-tune.ts";
import type { tuningFields } from "./options.ts";

type Tuning = z.output<z.ZodObject<ReturnType<typeof tuningFields>>>;

/** Fine-tuning and nothing else: CE(f(x), y) at a constant rate. */
export function plainTuning({
  learningRate,
  momentum,
  weightDecay,
}: Tuning): Pick<FineTunePlan, "schedule" | "optimiser" | "loss"> {
  return {
    schedule: constant(learningRate),
    optimiser: sgd({ momentum, weightDecay }),
    loss: (b, { student, labels }) => b.mean(crossEntropy(b, student.logits, labels)),
  };
}
