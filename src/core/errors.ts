/**
 * Every failure a user can cause, with the exit code of the command that meets it.
 * `input`: this model or these images cannot be audited (3). `usage`: the command line is wrong (4).
 * `runtime`: the machine failed (disk, memory, native crash) (3). `cancelled`: the user stopped it (130).
 * `paused`: stopped by a signal with everything kept, so that a scheduler may start it again (75).
 */
const CATEGORIES = {
  // model files
  MODEL_NOT_FOUND: "input",
  MODEL_NOT_ONNX: "input",
  MODEL_AMBIGUOUS: "input",
  MODEL_UNKNOWN_WEIGHTS: "input",
  MODEL_TRUNCATED: "input",
  MODEL_INVALID: "input",
  MODEL_TOO_LARGE: "input",
  MODEL_UNSUPPORTED_OPERATOR: "input",
  MODEL_UNSUPPORTED_OPSET: "input",
  MODEL_UNSUPPORTED_TYPE: "input",
  MODEL_NOT_DIFFERENTIABLE: "input",
  MODEL_NOT_A_CLASSIFIER: "input",
  MODEL_NOT_FINITE: "input",
  MODEL_QUANTISED: "input",
  EXTERNAL_DATA_OUTSIDE: "input",
  EXTERNAL_DATA_MISSING: "input",
  // images and labels
  DATA_NOT_FOUND: "input",
  DATA_INVALID: "input",
  IMAGE_UNREADABLE: "input",
  CLASSES_MISMATCH: "input",
  TOO_FEW_IMAGES: "input",
  ACCURACY_IMPLAUSIBLE: "input",
  CANNOT_POISON: "input",
  // use
  USAGE: "usage",
  UNKNOWN_OPTION: "usage",
  INVALID_CONFIG: "usage",
  UNKNOWN_METHOD: "usage",
  // the machine
  OUTPUT_NOT_WRITABLE: "runtime",
  RUNTIME_FAILED: "runtime",
  RUNTIME_CRASHED: "runtime",
  DEVICE_UNAVAILABLE: "runtime",
  DIVERGED: "runtime",
  CANCELLED: "cancelled",
  PAUSED: "paused",
  // a defect of Antidote itself
  INTERNAL: "runtime",
} as const;

export type ErrorCode = keyof typeof CATEGORIES;
export type ErrorCategory = (typeof CATEGORIES)[ErrorCode];

/** Every error code. */
export const ERROR_CODES = Object.keys(CATEGORIES) as readonly ErrorCode[];

/** An error a user can act on: what is wrong, where, and what to do next. */
export class AntidoteError extends Error {
  override readonly name = "AntidoteError";
  readonly code: ErrorCode;
  /** The file, node, option or image at fault, if one is. */
  readonly place: string | undefined;
  /** What the user can do about it, as a sentence. */
  readonly next: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    details: { place?: string; next?: string; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.place = details.place;
    this.next = details.next;
  }

  get category(): ErrorCategory {
    return CATEGORIES[this.code];
  }
}

/** Thrown where only a mistake in Antidote's own code can lead. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) {
    throw new AntidoteError("INTERNAL", message, {
      next: "This is a defect of Antidote: please report it with the command that caused it.",
    });
  }
}

/** Throws `CANCELLED` once the signal has been aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AntidoteError("CANCELLED", "Stopped on request.");
}
