import { count } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { compilePredictor } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Deployed } from "./deployment.ts";

/** A model in service without any defence: it answers everything. */
export function undefended(
  { device }: Pick<RunContext, "device">,
  model: Classifier,
  batchSize = 100,
): Deployed {
  let compiled: ReturnType<typeof compilePredictor> | undefined;
  return {
    async predict(images, options) {
      compiled ??= compilePredictor(device, model, Math.min(batchSize, count(images)));
      return (await (await compiled).predict(images, options)).classes;
    },
    release: async () => (await compiled)?.release(),
  };
}
