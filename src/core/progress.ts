/** What a long computation says while it runs. The library emits it; the command line draws it. */
export type Progress =
  /** Work of a known length: `done` of `total` units of stage `stage` are finished. */
  | { readonly kind: "step"; readonly stage: string; readonly done: number; readonly total: number }
  /** A fact worth a line, e.g. the preprocessing that was chosen. */
  | { readonly kind: "note"; readonly stage: string; readonly message: string }
  /** Something that weakens the result, e.g. few images in one class. */
  | { readonly kind: "warning"; readonly stage: string; readonly message: string };

export type Emit = (event: Progress) => void;

/** Ignores every event. */
export const silent: Emit = () => {};
