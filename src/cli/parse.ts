import { Argument, CommanderError, Option, Command as Program } from "commander";
import { AntidoteError, invariant } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Command } from "./command.ts";
import { commandHelp, programHelp } from "./help.ts";
import { fieldsOf, toKebab, toText } from "./options/fields.ts";
import { type Given, type GivenOptions, unknownOption } from "./options/resolve.ts";

/** A command line, taken apart but not yet checked against schemas. */
export type Invocation =
  | { readonly kind: "help"; readonly text: string }
  | {
      readonly kind: "run";
      readonly command: Command;
      readonly argument: string;
      readonly flags: GivenOptions;
      readonly config: string | undefined;
      readonly json: boolean;
      readonly quiet: boolean;
    };

/** Heading of the options that every command has. */
const RUN = "Run:";

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
  const declared = new Map<string, DeclaredFlag[]>();
  for (const command of commands) {
    const flags = flagsOf(command);
    declared.set(command.name, flags);
    const sub = program
      .command(command.name)
      .summary(command.summary)
      .description(command.description)
      .addHelpOption(new Option("--help", "show this help").helpGroup(RUN));
    if (command.argument) {
      const { name, description, optional } = command.argument;
      sub.addArgument(new Argument(optional ? `[${name}]` : `<${name}>`, description));
    }
    for (const { option } of flags) sub.addOption(option);
    for (const option of runOptions()) sub.addOption(option);
    commandHelp(sub, command);
    sub.action((...received: unknown[]) => {
      const values: Record<string, unknown> = sub.opts();
      invocation = {
        kind: "run",
        command,
        argument: command.argument && typeof received[0] === "string" ? received[0] : "",
        flags: givenBy(flags, values),
        config: typeof values.config === "string" ? values.config : undefined,
        json: values.json === true,
        quiet: values.quiet === true,
      };
    });
  }
  try {
    program.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "help", text: written };
    throw usageError(error, words, commands, declared);
  }
  invariant(invocation, "a command line that parses names a command");
  return invocation;
}

interface DeclaredFlag {
  readonly option: Option;
  /** Key in `GivenOptions`. */
  readonly name: string;
}

/** The flags of a command: its own options, its slots, and every option of every method for a slot. */
function flagsOf({ options, slots }: Command): DeclaredFlag[] {
  const own = fieldsOf(options).map((field): DeclaredFlag => {
    // What is on by default can only be turned off by a value.
    const isSwitch = field.expects === "true or false" && field.default !== true;
    const usage = isSwitch ? `--${field.flag}` : `--${field.flag} ${field.placeholder}`;
    const choices = field.placeholder === "<choice>" ? `: ${field.expects}` : "";
    const description = field.description + choices + defaultText(field.default);
    const option = new Option(usage, description);
    if (field.group !== undefined) option.helpGroup(field.group);
    return { option, name: field.key };
  });
  const methods = Object.entries(slots).flatMap(([slotName, slot]): DeclaredFlag[] => {
    const description = slot.description + defaultText(slot.default);
    const choice = new Option(`--${slotName} <name>`, description).helpGroup(slot.group);
    // Methods of one slot may share an option's name; the chosen method decides what it means.
    const fields = new Map(
      Object.values(slot.methods)
        .flatMap((method) => fieldsOf(method.config))
        .map((field) => [field.key, field] as const),
    );
    const details = [...fields.values()].map(({ key, flag, placeholder }) => ({
      option: new Option(`--${slotName}.${flag} ${placeholder}`).hideHelp(),
      name: `${slotName}.${key}`,
    }));
    return [{ option: choice, name: slotName }, ...details];
  });
  return [...own, ...methods];
}

/** Nothing for a switch: that it is off goes without saying. */
function defaultText(value: unknown): string {
  return value === undefined || value === false ? "" : ` (default: ${toText(value)})`;
}

/** Options of every run, whatever the command. */
function runOptions(): Option[] {
  const options = [
    new Option("--config <file>", "YAML or JSON file with options by name; flags go before it"),
    new Option("--json", "print one JSON document on stdout, also for errors"),
    new Option("--quiet", "print no progress"),
  ];
  return options.map((option) => option.helpGroup(RUN));
}

function givenBy(flags: readonly DeclaredFlag[], values: Record<string, unknown>): GivenOptions {
  const given = new Map<string, Given>();
  for (const { option, name } of flags) {
    const value = values[option.attributeName()];
    if (value !== undefined) given.set(name, { value, place: option.long ?? name, isText: true });
  }
  return given;
}

/** What commander found wrong, with the nearest name and where to read more. */
function usageError(
  error: CommanderError,
  words: readonly string[],
  commands: readonly Command[],
  declared: ReadonlyMap<string, readonly DeclaredFlag[]>,
): AntidoteError {
  const name = words.find((word) => !word.startsWith("-"));
  const command = commands.find((command) => command.name === name);
  const help = command ? `antidote ${command.name} --help` : "antidote --help";
  const [firstLine = ""] = error.message.replace(/^error: /, "").split("\n");
  const subject = /'([^' ]+)/.exec(firstLine)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownOption": {
      const flags = declared.get(command?.name ?? "")?.map(({ option }) => option.long ?? "") ?? [];
      const known = [...flags, "--config", "--json", "--quiet", "--help"];
      const flag = subject.replace(/=.*/, "");
      if (name === undefined || words.indexOf(name) > words.indexOf(subject)) {
        const message = `The option ${flag} stands before the command.`;
        return new AntidoteError("USAGE", message, { next: "Write the command first." });
      }
      return unknownOption(
        `There is no option ${flag}.`,
        undefined,
        nearestFlag(toKebab(flag), known),
        help,
      );
    }
    case "commander.unknownCommand": {
      const names = commands.map(({ name }) => name);
      const message = `There is no command "${subject}".`;
      return unknownOption(message, undefined, nearest(subject, names), help, "USAGE");
    }
    case "commander.help":
      return unknownOption("No command was given.", undefined, undefined, help, "USAGE");
    default:
      return unknownOption(
        `${capitalised(firstLine.replace(/\.$/, ""))}.`,
        undefined,
        undefined,
        help,
        "USAGE",
      );
  }
}

/** The dashes in front say nothing about similarity. */
function nearestFlag(flag: string, known: readonly string[]): string | undefined {
  const name = nearest(
    flag.replace(/^--?/, ""),
    known.map((known) => known.slice(2)),
  );
  return name === undefined ? undefined : `--${name}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
