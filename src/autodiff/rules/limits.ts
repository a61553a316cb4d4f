import type { DifferentiableOperator } from "./index.ts";

/** Forms of operators that their rule refuses, in words that follow "not". */
export const LIMITS: Readonly<Partial<Record<DifferentiableOperator, string>>> = {
  Attention: "with past keys and values, lengths of keys, or softcap",
  Einsum: "with a letter twice in one term, nor with broadcast axes of extent 1",
  LayerNormalization: "through its second and third outputs",
  Resize: "with tf_crop_and_resize or keep_aspect_ratio_policy",
  ScatterElements: "with the reductions mul, max and min",
  ScatterND: "with the reductions mul, max and min",
};
