import { Argument, CommanderError, Command as Program } from "commander";
import { invariant } from "../core/errors.ts";
import type { Command } from "./command.ts";
import { flagsOf, givenBy, runOptions } from "./flags.ts";
import { commandHelp, programHelp } from "./help.ts";
import type { Given, GivenOptions } from "./options/resolve.ts";
import { usageError } from "./usage-error.ts";

/** A command line, taken apart but not yet checked against schemas. */
export type Invocation =
  | { readonly kind: "help"; readonly text: string }
  | {
      readonly kind: "run";
      readonly command: Command;
      readonly argument: string;
      readonly flags: GivenOptions;
      readonly config: string | undefined;
      readonly quiet: boolean;
    };

/**
 * Takes a command line apart.
 * @param words what follows the program's name
 * @throws `USAGE`, `UNKNOWN_OPTION`, with the nearest name that exists
 */
export function parseCommandLine(
  words: readonly string[],
  commands: readonly Command[],
  version: string,
): Invocation {
  let invocation: Invocation | undefined;
  let written = "";
  const program = new Program("antidote")
    .version(version, "--version", "print the version")
    .helpOption("--help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ writeOut: (text) => (written += text), writeErr: () => {} })
    .exitOverride();
  programHelp(program, commands);
  for (const command of commands) {
    const flags = flagsOf(command);
    const { help, common } = runOptions();
    const sub = parentOf(program, command)
      .command(command.name.split(" ").at(-1)!)
      .summary(command.summary)
      .description(command.description)
      .addHelpOption(help);
    const positional = Object.entries(command.slots).filter(([, slot]) => slot.positional);
    for (const [name, { description }] of positional) {
      sub.addArgument(new Argument(`<${name}>`, description));
    }
    if (command.argument) {
      const { name, description, optional } = command.argument;
      sub.addArgument(new Argument(optional ? `[${name}]` : `<${name}>`, description));
    }
    for (const { option } of flags) sub.addOption(option);
    for (const option of common) sub.addOption(option);
    commandHelp(sub, command);
    sub.action((...received: unknown[]) => {
      const values: Record<string, unknown> = sub.opts();
      const named = positional.map(([name], at): [string, Given] => [
        name,
        { value: received[at], place: `<${name}>`, isText: true },
      ]);
      const argument = received[positional.length];
      invocation = {
        kind: "run",
        command,
        argument: command.argument && typeof argument === "string" ? argument : "",
        flags: new Map([...named, ...givenBy(flags, values)]),
        config: typeof values.config === "string" ? values.config : undefined,
        quiet: values.quiet === true,
      };
    });
  }
  try {
    program.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "help", text: written };
    throw usageError(error, words, commands);
  }
  invariant(invocation, "a command line that parses names a command");
  return invocation;
}

/** What the commands of a group have in common, by the group's name. */
const GROUPS: Readonly<Record<string, string>> = {
  experiment: "run grids of attacks and defences, and read their results",
};

/** The program, or the group of a command such as "experiment run". */
function parentOf(program: Program, { name }: Command): Program {
  const [group, second] = name.split(" ") as [string, string?];
  if (second === undefined) return program;
  const known = program.commands.find((other) => other.name() === group);
  if (known) return known;
  const summary = GROUPS[group] ?? "";
  return program
    .command(group)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .helpOption("--help", "show this help")
    .configureHelp({ showGlobalOptions: false });
}
