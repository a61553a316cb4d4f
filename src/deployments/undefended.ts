import type { Classifier } from "../models/classifier.ts";
import { compilePredictor } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Deployed } from "./deployment.ts";

/** A model in service without any defence: it answers everything. */
export async function undefended(
  { device }: Pick<RunContext, "device">,
  model: Classifier,
): Promise<Deployed> {
  const predictor = await compilePredictor(device, model);
  return {
    async predict(images, options) {
      return (await predictor.predict(images, options)).classes;
    },
    release: () => predictor.release(),
  };
}
