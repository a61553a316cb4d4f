import type { ErrorCode } from "../../core/errors.ts";
import type { Progress } from "../../core/progress.ts";
import type { Images, Source } from "./materials.ts";
import type { Trial } from "./trial.ts";

/** What a worker is started with, as JSON in its first argument. */
export interface WorkerOptions {
  readonly source: Source;
  /** What the images must be: those that the trials were made for. */
  readonly digests: Images["digests"];
  readonly store: string;
  readonly device: "cpu" | "webgpu";
  readonly threads: number;
}

/** To a worker. */
export type Order =
  | { readonly kind: "run"; readonly trial: Trial }
  /** Save what is under way, and end. */
  | { readonly kind: "stop" };

/** From a worker. */
export type Message =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly event: Progress }
  | { readonly kind: "done"; readonly key: string }
  | {
      readonly kind: "failed";
      /** Null if the worker itself could not begin. */
      readonly key: string | null;
      readonly code: ErrorCode;
      readonly message: string;
      readonly next: string | null;
    };
