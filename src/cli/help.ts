import type { Command as Program } from "commander";
import { inColumns } from "../report/columns.ts";
import type { Command, Details, Example } from "./command.ts";

/** What `antidote --help` says around the list of commands. */
export function programHelp(program: Program, commands: readonly Command[]): void {
  program.description(
    "Audits, repairs and stress-tests image classifiers against data-poisoning backdoors.",
  );
  const first = commands.flatMap(({ examples }) => examples.slice(0, 1));
  program.addHelpText(
    "after",
    `${examplesText(first)}

Exit codes:
  0  done; of audit and detect: no evidence of a backdoor was found
  1  audit, detect: a backdoor was found
  2  audit, detect: inconclusive
  3  this model or these images cannot be used, or the machine failed
  4  wrong usage
  75  experiment, reproduce: stopped by a signal; the same command goes on
  130  stopped with Ctrl-C`,
  );
}

/** What the help of one command says below its options. */
export function commandHelp(program: Program, { slots, details, examples }: Command): void {
  const lists = Object.entries(slots).map(([name, { methods, positional }]) => {
    const entries = Object.values(methods).map((method) => [method.name, method.summary] as const);
    const named = positional ? `<${name}>` : `--${name}`;
    return `\nNames for ${named} (\`antidote methods NAME\` lists the options --${name}.OPTION):\n${columns(entries)}\n`;
  });
  const more = details ? detailsText(program, details) : "";
  program.addHelpText("after", `${lists.join("")}${more}${examplesText(examples)}`);
}

/** Width of help texts, in characters. */
const WIDTH = 80;

function detailsText(program: Program, { heading, rows, example }: Details): string {
  const helper = program.createHelp();
  helper.prepareContext({ helpWidth: WIDTH });
  const width = Math.max(...rows.map(([term]) => term.length));
  const lines = rows.map(([term, text]) => helper.formatItem(term, width, text, helper));
  const indented = example.replace(/^/gm, "  ");
  return `\n${heading}\n${lines.join("\n")}\n\nFor example:\n${indented}\n`;
}

function examplesText(examples: readonly Example[]): string {
  const lines = examples.map(({ line, purpose }) => `  # ${purpose}\n  $ ${line}`);
  return `\nExamples:\n${lines.join("\n")}`;
}

/** Rows as text, their cells below each other. */
export function columns(rows: readonly (readonly string[])[]): string {
  return inColumns(rows).join("\n");
}
