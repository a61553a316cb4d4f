import type { z } from "zod";
import { AntidoteError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import type { AnyMethod, Choice, Command, Slot } from "../command.ts";
import { type Entry, readConfigFile } from "./config-file.ts";
import { type Field, fieldsOf, listed, toCamel, toKebab, toText } from "./fields.ts";

/** A value somebody gave for an option. */
export interface Given {
  readonly value: unknown;
  /** The flag, or the line of a file. */
  readonly place: string;
  /** Whether a text stands for the value, as on a command line. */
  readonly isText: boolean;
}

/** What was given, by option ("seed"), slot ("repair") and option of a slot's method ("repair.steps"). */
export type GivenOptions = ReadonlyMap<string, Given>;

/** A command's options and methods, checked and complete. */
export interface Resolved {
  readonly options: Readonly<Record<string, unknown>>;
  readonly methods: Readonly<Record<string, Choice | undefined>>;
}

/**
 * Completes what flags gave with a configuration file, then with defaults, and checks everything.
 * @throws `INVALID_CONFIG`, `UNKNOWN_OPTION`, `UNKNOWN_METHOD`, `USAGE`
 */
export async function resolve(
  command: Command,
  flags: GivenOptions,
  configFile: string | undefined,
): Promise<Resolved> {
  const file = fromFile(command, configFile === undefined ? [] : await readConfigFile(configFile));
  assertSameMethods(command, file, flags);
  const given: GivenOptions = new Map([...file, ...flags]);
  const fields = fieldsOf(command.options);
  return {
    options: validate(
      command.options,
      fields,
      (field) => given.get(field.key),
      (field) => `--${field.flag}`,
      `antidote ${command.name} --help`,
    ) as Record<string, unknown>,
    methods: Object.fromEntries(
      Object.entries(command.slots).map(([name, slot]) => [name, choose(name, slot, given)]),
    ),
  };
}

/** Names of a file in the form of `GivenOptions`; keys may be written in camelCase or kebab-case. */
function fromFile(command: Command, entries: readonly Entry[]): Map<string, Given> {
  const keys = fieldsOf(command.options).map(({ key }) => key);
  const known = [...keys, ...Object.keys(command.slots)];
  const given = new Map<string, Given>();
  for (const { keys, value, place } of entries) {
    const [outer, inner] = keys.map(toCamel) as [string, string | undefined];
    if (!known.includes(outer)) {
      const message = `"${keys[0]}" is not an option of \`antidote ${command.name}\`.`;
      const similar = nearest(keys[0], known.map(toKebab));
      throw new AntidoteError("UNKNOWN_OPTION", message, {
        place,
        next: advice(similar, `antidote ${command.name} --help`),
      });
    }
    if (inner !== undefined && !(outer in command.slots)) {
      throw new AntidoteError("INVALID_CONFIG", `"${keys[0]}" takes a single value.`, { place });
    }
    const name = inner === undefined || inner === "name" ? outer : `${outer}.${inner}`;
    if (given.has(name)) {
      throw new AntidoteError("INVALID_CONFIG", `"${keys.join(".")}" is given twice.`, {
        place,
        next: "Remove one of the two lines.",
      });
    }
    given.set(name, { value, place, isText: false });
  }
  return given;
}

/** Options that a file has for one method are not for the other one that a flag names. */
function assertSameMethods(command: Command, file: GivenOptions, flags: GivenOptions): void {
  for (const slot of Object.keys(command.slots)) {
    const [stated, wanted] = [file.get(slot), flags.get(slot)];
    const hasOptions = [...file.keys()].some((key) => key.startsWith(`${slot}.`));
    if (!stated || !wanted || !hasOptions || stated.value === wanted.value) continue;
    const message = `The options in the file are for the ${slot} "${toText(stated.value)}", not for "${toText(wanted.value)}".`;
    throw new AntidoteError("INVALID_CONFIG", message, {
      place: stated.place,
      next: `Give a file for "${toText(wanted.value)}", or remove the options of the ${slot} from this one.`,
    });
  }
}

function choose(slotName: string, slot: Slot, given: GivenOptions): Choice | undefined {
  const chosen = given.get(slotName);
  const name = chosen?.value ?? slot.default;
  const prefix = `${slotName}.`;
  const own = [...given].filter(([key]) => key.startsWith(prefix));
  if (name === undefined) {
    const [first] = own;
    if (first === undefined) return undefined;
    throw new AntidoteError("USAGE", `Nothing says which ${slotName} this option is for.`, {
      place: first[1].place,
      next: `Add --${slotName} ${Object.keys(slot.methods).join("|")}.`,
    });
  }
  const method = methodNamed(slotName, slot.methods, name, chosen?.place);
  const fields = fieldsOf(method.config);
  for (const [key, { place }] of own) {
    const option = key.slice(prefix.length);
    if (fields.some((field) => field.key === option)) continue;
    const flags = fields.map(({ flag }) => flag);
    const similar = nearest(toKebab(option), flags);
    const message = `The ${slotName} "${method.name}" has no option "${toKebab(option)}".`;
    const suggestion = similar && `--${prefix}${similar}`;
    throw new AntidoteError("UNKNOWN_OPTION", message, {
      place,
      next: advice(suggestion, `antidote methods ${method.name}`),
    });
  }
  const config = validate(
    method.config,
    fields,
    (field) => given.get(prefix + field.key),
    (field) => `--${prefix}${field.flag}`,
    `antidote methods ${method.name}`,
  );
  const stated = own.map(([key]) => key.slice(prefix.length));
  return { method, config, given: stated, isStated: chosen !== undefined || stated.length > 0 };
}

/** The method called `name`. Throws `UNKNOWN_METHOD` with the nearest name. */
export function methodNamed<M extends AnyMethod>(
  kind: string,
  methods: Readonly<Record<string, M>>,
  name: unknown,
  place?: string,
): M {
  const names = Object.keys(methods);
  const method = names.includes(String(name)) ? methods[String(name)] : undefined;
  if (method !== undefined) return method;
  const suggestion = nearest(String(name), names);
  throw new AntidoteError("UNKNOWN_METHOD", `There is no ${kind} called "${toText(name)}".`, {
    ...(place === undefined ? {} : { place }),
    next: suggestion ? `Did you mean ${suggestion}?` : `Choose ${listed(names)}.`,
  });
}

/** Runs a schema on what was given for its fields; says in plain words what is wrong, and where. */
function validate(
  schema: z.ZodType,
  fields: readonly Field[],
  givenFor: (field: Field) => Given | undefined,
  nameOf: (field: Field) => string,
  help: string,
): unknown {
  const input: Record<string, unknown> = {};
  for (const field of fields) {
    const given = givenFor(field);
    if (given !== undefined) {
      const { value, isText } = given;
      input[field.key] = isText && typeof value === "string" ? field.parse(value) : value;
    } else if (field.required) {
      throw new AntidoteError("USAGE", `${nameOf(field)} is missing.`, {
        next: `Add ${nameOf(field)} ${field.placeholder}: ${field.description}.`,
      });
    }
  }
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = fields.find(({ key }) => key === issue.path[0]);
  if (field === undefined) {
    throw new AntidoteError("INVALID_CONFIG", sentence(issue.message), {
      next: advice(undefined, help),
    });
  }
  const given = givenFor(field);
  const value = given === undefined ? "" : `, not "${toText(given.value)}"`;
  const reason =
    issue.code === "custom" ? issue.message : `${nameOf(field)} expects ${field.expects}${value}`;
  throw new AntidoteError("INVALID_CONFIG", sentence(reason), {
    place: given?.place ?? nameOf(field),
    next: advice(undefined, help),
  });
}

/** The next step after a name that does not exist: the nearest one that does, or where they are listed. */
export function advice(suggestion: string | undefined, help: string): string {
  return suggestion === undefined ? `See \`${help}\`.` : `Did you mean ${suggestion}?`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
