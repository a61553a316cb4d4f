/** Every deployment defence by its name. */
export const DEPLOYMENTS = {} as const;
