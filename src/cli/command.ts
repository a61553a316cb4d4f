import type { z } from "zod";
import type { Configured } from "../audit/options.ts";
import type { AntidoteError } from "../core/errors.ts";
import type { Method } from "../core/method.ts";
import type { Emit } from "../core/progress.ts";

/** Any method, as far as the command line needs to know it. */
export type AnyMethod = Pick<
  Method<never, never, unknown, z.ZodType>,
  "name" | "summary" | "source" | "config"
>;

/** A place in a command that one of several methods fills: `--repair NAME`, with `--repair.OPTION`. */
export interface Slot<M extends AnyMethod = AnyMethod> {
  readonly description: string;
  /** Heading in help texts. */
  readonly group: string;
  readonly methods: Readonly<Record<string, M>>;
  /** The method that is used if none is named; without it the slot may stay empty. */
  readonly default?: string;
  /** Whether the method is named without a flag, before the argument. It must be named, then. */
  readonly positional?: true;
}

export type Slots = Readonly<Record<string, Slot>>;

/** A method that was chosen for a slot, with its validated options. */
export interface Choice<M extends AnyMethod = AnyMethod> {
  readonly method: M;
  /** What the method's own schema returned. */
  readonly config: unknown;
  /** Names of the options that were given; the others have their defaults. */
  readonly given?: readonly string[];
  /** Whether the user said anything of it: its name, or one of its options. */
  readonly isStated?: boolean;
}

/** A choice as records state it. Options come out of a schema, so they are plain JSON. */
export function describeMethod({ method, config }: Choice): {
  name: string;
  options: Record<string, z.core.util.JSONType>;
} {
  return { name: method.name, options: config as Record<string, z.core.util.JSONType> };
}

/** The choice for every slot; undefined where a slot stays empty. */
export type Choices<S extends Slots> = {
  readonly [K in keyof S]: S[K] extends Slot<infer M>
    ? S[K] extends { readonly default: string } | { readonly positional: true }
      ? Choice<M>
      : Choice<M> | undefined
    : never;
};

/** What a command gets: everything the user said, checked and complete. */
export interface CommandInput<Options extends z.ZodObject, S extends Slots> {
  /** The argument without a flag; empty if the command takes none, or none was given. */
  readonly argument: string;
  readonly options: z.output<Options>;
  readonly methods: Choices<S>;
  readonly signal: AbortSignal;
  readonly emit: Emit;
}

/** What a slot holds if the user says nothing. */
export function defaultChoice<M extends AnyMethod>(
  slot: Slot<M> & { readonly default: string },
): Choice<M> {
  const method = slot.methods[slot.default]!;
  return { method, config: method.config.parse({}), given: [] };
}

/** A choice in the form in which audits take their methods. */
export function configured<M extends AnyMethod>({
  method,
  config,
  given,
}: Choice<M>): Configured<M> {
  return { method, config: config as Configured<M>["config"], given };
}

/** What a command returns. It prints nothing itself. */
export interface Outcome {
  /** Printed with `--json`. */
  readonly document: unknown;
  /** Printed otherwise; ends without a line break. */
  readonly text: string;
  readonly exitCode: number;
  /** What failed after the result was there, e.g. writing it; goes to stderr and decides the exit code. */
  readonly failure?: AntidoteError | undefined;
}

/** What a help text describes beside options, e.g. the keys of a file. */
export interface Details {
  readonly heading: string;
  readonly rows: readonly (readonly [term: string, description: string])[];
  /** An example, as it stands. */
  readonly example: string;
}

/** A command line that a help text shows. */
export interface Example {
  readonly line: string;
  readonly purpose: string;
}

/** A command. Its schema is the only place that describes its options. */
export interface Command<Options extends z.ZodObject = z.ZodObject, S extends Slots = Slots> {
  readonly name: string;
  /** One line in the list of commands. */
  readonly summary: string;
  /** A paragraph above the options in the command's own help. */
  readonly description: string;
  readonly argument?: {
    readonly name: string;
    readonly description: string;
    readonly optional?: true;
  };
  readonly options: Options;
  readonly slots: S;
  /** Rows in two columns below the options in the command's own help, under a heading. */
  readonly details?: Details;
  readonly examples: readonly Example[];
  run(input: CommandInput<Options, S>): Promise<Outcome>;
}

/** Types a command by its own schema and slots. */
export function command<Options extends z.ZodObject, S extends Slots>(
  definition: Command<Options, S>,
): Command<Options, S> {
  return definition;
}
