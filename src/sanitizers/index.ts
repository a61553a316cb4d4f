/** Every sanitizer by its name. */
export const SANITIZERS = {} as const;
