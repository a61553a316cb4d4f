import { strip } from "./strip.ts";

/** Every defence at inference time by its name. */
export const DEPLOYMENTS = { strip } as const;

export type DeploymentName = keyof typeof DEPLOYMENTS;
