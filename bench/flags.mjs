import { parseArgs } from "node:util";

/**
 * The flags of a script that measures on real data. Prints the help and ends where it is asked for, or where something is
 * missing.
 * @param help what the script takes
 * @param options of `parseArgs`, with a name each; a string is its default, null stands for none, false for a switch
 * @param needed names that must be given, and "MANIFEST" for one word beside the flags
 * @returns the flags, the word, and the folder of real data
 */
export function flagsOf(help, options, needed) {
  const hasWord = needed.includes("MANIFEST");
  const { values: flags, positionals } = parseArgs({
    allowPositionals: hasWord,
    options: Object.fromEntries(
      Object.entries({ ...options, help: false }).map(([name, given]) => [name, option(given)]),
    ),
  });
  const [word] = positionals;
  const data = process.env.ANTIDOTE_DATA;
  const missing = needed.some((name) => (name === "MANIFEST" ? !word : !flags[name]));
  if (flags.help || missing || positionals.length > 1 || !data) {
    process.stdout.write(data ? help : `${help}\nANTIDOTE_DATA names the folder of real data.\n`);
    process.exit(flags.help ? 0 : 4);
  }
  return { flags, word, data };
}

function option(given) {
  if (given === false) return { type: "boolean", default: false };
  return given === null ? { type: "string" } : { type: "string", default: given };
}
