import { z } from "zod";
import type { Detector } from "../detectors/detector.ts";
import type { Classifier } from "../models/classifier.ts";
import { imagesFitting } from "../models/memory.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Configured } from "./options.ts";

/** A budget in GiB, in bytes. */
export function inBytes(gibibytes: number): number {
  return gibibytes * 2 ** 30;
}

/** A context whose steps keep within a budget in GiB, if there is one. */
export function within(context: RunContext, gibibytes: number | undefined): RunContext {
  return gibibytes === undefined ? context : { ...context, memory: inBytes(gibibytes) };
}

/** The options by which detectors say how many images a step takes. */
const STEP = z.object({ images: z.number(), classesPerStep: z.number() });

/**
 * The detector with as many classes in a step as fit into a budget of memory, at most those that it has anyway. Classes
 * that share a step do not influence each other, but those of a group draw their starts and images from one stream, named
 * after them: other groups draw others, and results differ as between two seeds.
 */
export async function fitting(
  { method, config }: Configured<Detector>,
  model: Classifier,
  gibibytes: number,
): Promise<Configured<Detector>> {
  const step = STEP.safeParse(config);
  if (!step.success) return { method, config };
  const networks = method.needsRepair ? [model, model] : [model];
  const most = (await imagesFitting(networks, inBytes(gibibytes))) / step.data.images;
  const classesPerStep = Math.max(1, Math.min(step.data.classesPerStep, Math.floor(most)));
  return { method, config: { ...config, classesPerStep } };
}
