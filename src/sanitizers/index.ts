import { activationClustering } from "./activation-clustering.ts";
import { spectralSignatures } from "./spectral-signatures.ts";

/** Every sanitizer by its name. */
export const SANITIZERS = {
  "activation-clustering": activationClustering,
  "spectral-signatures": spectralSignatures,
} as const;

export type SanitizerName = keyof typeof SANITIZERS;
