import type { z } from "zod";
import type { Method } from "../core/method.ts";
import type { ImageSet } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import type { PredictOptions } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";

/** All that a defence at inference time may see: the model as it is deployed, and trusted images. */
export interface DeploymentInput {
  readonly model: Classifier;
  readonly trusted: ImageSet;
}

/** In place of a class: the deployed model refuses to answer. */
export const REFUSED = -1;

/** A model in service. */
export interface Deployed {
  /** Class of every image, or `REFUSED`, [N]. */
  predict(images: ImageSet, options?: PredictOptions): Promise<Int32Array>;
  /** Frees what it holds on the device. */
  release(): Promise<void>;
}

/** A defence at inference time: it answers, or refuses to. It judges nothing. */
export type Deployment<Config extends z.ZodType = z.ZodType> = Method<
  RunContext,
  DeploymentInput,
  Promise<Deployed>,
  Config
>;
