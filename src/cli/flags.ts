import { Option } from "commander";
import type { Command } from "./command.ts";
import { fieldsOf, toText } from "./options/fields.ts";
import type { Given, GivenOptions } from "./options/resolve.ts";

/** A flag of a command line, and what it gives a value to. */
export interface DeclaredFlag {
  readonly option: Option;
  /** Key in `GivenOptions`. */
  readonly name: string;
}

/** The flags of a command: its own options, its slots, and every option of every method for a slot. */
export function flagsOf({ options, slots }: Command): DeclaredFlag[] {
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
    return slot.positional ? details : [{ option: choice, name: slotName }, ...details];
  });
  return [...own, ...methods];
}

/** Nothing for a switch: that it is off goes without saying. */
function defaultText(value: unknown): string {
  return value === undefined || value === false ? "" : ` (default: ${toText(value)})`;
}

/** Options of every run, whatever the command. */
export function runOptions(): { readonly common: readonly Option[]; readonly help: Option } {
  const common = [
    new Option("--config <file>", "YAML or JSON file with options by name; flags go before it"),
    new Option("--json", "print one JSON document on stdout, also for errors"),
    new Option("--quiet", "print no progress"),
  ];
  const help = new Option("--help", "show this help");
  for (const option of [...common, help]) option.helpGroup("Run:");
  return { common, help };
}

/** What was given on a command line, from the values that commander read. */
export function givenBy(
  flags: readonly DeclaredFlag[],
  values: Record<string, unknown>,
): GivenOptions {
  const given = new Map<string, Given>();
  for (const { option, name } of flags) {
    const value = values[option.attributeName()];
    if (value !== undefined) given.set(name, { value, place: option.long ?? name, isText: true });
  }
  return given;
}
