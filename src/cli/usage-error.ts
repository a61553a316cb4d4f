import type { CommanderError } from "commander";
import { AntidoteError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Command } from "./command.ts";
import { flagsOf, runOptions } from "./flags.ts";
import { toKebab } from "./options/fields.ts";
import { advice } from "./options/resolve.ts";

/** What commander found wrong with a command line, with the nearest name or where to read more. */
export function usageError(
  { code, message }: CommanderError,
  words: readonly string[],
  commands: readonly Command[],
): AntidoteError {
  const [first = "", second = ""] = words.filter((word) => !word.startsWith("-"));
  const command = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  const group = commands.some(({ name }) => name.startsWith(`${first} `)) ? first : undefined;
  const named = command?.name ?? group;
  const help = named === undefined ? "antidote --help" : `antidote ${named} --help`;
  const [problem = ""] = message.replace(/^error: /, "").split("\n");
  // Commander's messages quote what they are about.
  const subject = /'([^' =]+)/.exec(problem)?.[1] ?? "";
  switch (code) {
    case "commander.unknownOption":
      if (command === undefined) {
        return new AntidoteError("USAGE", `The option ${subject} stands before the command.`, {
          next: "Write the command first.",
        });
      }
      return new AntidoteError("UNKNOWN_OPTION", `There is no option ${subject}.`, {
        next: advice(nearestFlag(subject, command), help),
      });
    case "commander.unknownCommand": {
      const names = group
        ? commands.flatMap(({ name }) =>
            name.startsWith(`${group} `) ? [name.split(" ")[1]!] : [],
          )
        : commands.map(({ name }) => name.split(" ")[0]!);
      return new AntidoteError("USAGE", `There is no command "${subject}".`, {
        next: advice(nearest(subject, names), help),
      });
    }
    case "commander.help":
      return new AntidoteError("USAGE", "No command was given.", { next: advice(undefined, help) });
    default: {
      const text = problem.charAt(0).toUpperCase() + problem.slice(1).replace(/\.$/, "");
      return new AntidoteError("USAGE", `${text}.`, { next: advice(undefined, help) });
    }
  }
}

function nearestFlag(flag: string, command: Command): string | undefined {
  const { common, help } = runOptions();
  const options = [...flagsOf(command).map(({ option }) => option), ...common, help];
  // The dashes in front say nothing about similarity.
  const names = options.map(({ long }) => (long ?? "").slice(2));
  const name = nearest(toKebab(flag).replace(/^--?/, ""), names);
  return name === undefined ? undefined : `--${name}`;
}
