import type { AntidoteError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import type { Command } from "./command.ts";
import { interruptible } from "./interrupt.ts";
import { resolve } from "./options/resolve.ts";
import { asAntidoteError, exitCodeOf, printError } from "./output/errors.ts";
import { progressDisplay } from "./output/progress.ts";
import { parseCommandLine } from "./parse.ts";

/**
 * Runs one command line: results to stdout, everything else to stderr.
 * @param words what follows the program's name
 * @returns the exit code
 */
export async function run(words: readonly string[], commands: readonly Command[]): Promise<number> {
  // Asked for even by a command line that is otherwise wrong.
  const json = words.includes("--json");
  const fail = (thrown: unknown): number => {
    const error: AntidoteError = asAntidoteError(thrown);
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
    const { command, argument, flags, config, quiet } = invocation;
    const resolved = await resolve(command, flags, config);
    using interrupt = interruptible();
    const display = progressDisplay(quiet);
    try {
      const { document, text, exitCode } = await command.run({
        ...resolved,
        argument,
        signal: interrupt.signal,
        emit: (event) => display.show(event),
      });
      display.close();
      process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text}\n`);
      return exitCode;
    } finally {
      display.close();
    }
  } catch (thrown) {
    return fail(thrown);
  }
}
