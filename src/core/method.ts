import type { z } from "zod";

/** Where a method comes from, and how ours differs from the text. */
export interface Source {
  /** Title of the paper. */
  readonly paper: string;
  readonly authors: string;
  readonly year: number;
  /** Section, algorithm or equation. */
  readonly section?: string;
  /** Every known difference from the paper, in plain words. */
  readonly deviations: readonly string[];
}

/**
 * A method: one file, one exported object. Its name is its file name, its key in the registry and its
 * name on the command line. Its schema is the only place where its defaults live.
 */
export interface Method<Context, Input, Output, Config extends z.ZodType> {
  readonly name: string;
  /** One sentence for help texts. */
  readonly summary: string;
  readonly source: Source;
  readonly config: Config;
  /** Part of the keys of its trials: raised whenever the same options would give another outcome; 1 where absent. */
  readonly revision?: number;
  run(context: Context, input: Input, config: z.output<Config>): Output;
}
