import type { Progress } from "../core/progress.ts";
import { VERSION } from "../core/version.ts";
import type { Command, Outcome } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { resolve } from "./options/resolve.ts";
import { asAntidoteError, exitCodeOf, printError } from "./output/errors.ts";
import { progressDisplay } from "./output/progress.ts";
import { type Invocation, parseCommandLine } from "./parse.ts";

/**
 * Runs one command line: results to stdout, everything else to stderr.
 * @param words what follows the program's name
 * @returns the exit code
 */
export async function run(words: readonly string[], commands: readonly Command[]): Promise<number> {
  // Asked for even by a command line that is otherwise wrong.
  const json = words.includes("--json");
  const fail = (thrown: unknown): number => {
    const error = asAntidoteError(thrown);
    printError(error, json);
    return exitCodeOf(error);
  };
  process.once("uncaughtException", (thrown) => process.exit(fail(thrown)));
  try {
    const invocation = parseCommandLine(words, commands, VERSION);
    if (invocation.kind === "help") {
      process.stdout.write(invocation.text);
      return 0;
    }
    const { document, text, exitCode, failure } = await execute(invocation);
    process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text}\n`);
    if (!failure) return exitCode;
    // The one document on stdout is the result.
    printError(failure, false);
    return exitCodeOf(failure);
  } catch (thrown) {
    return fail(thrown);
  }
}

/** Runs a command, with progress shown and Ctrl-C heard until it ends. */
async function execute(invocation: Extract<Invocation, { kind: "run" }>): Promise<Outcome> {
  const { command, argument, flags, config, quiet } = invocation;
  const resolved = await resolve(command, flags, config);
  using interrupt = interruptible();
  using display = progressDisplay(quiet);
  const emit = (event: Progress) => display.show(event);
  return await command.run({ ...resolved, argument, signal: interrupt.signal, emit });
}
