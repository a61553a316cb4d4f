import { styleText } from "node:util";
import { errorDocument } from "../../audit/error-record.ts";
import { AntidoteError, type ErrorCategory } from "../../core/errors.ts";
import { visible } from "../../report/visible.ts";

/** Exit codes by the kind of error; a command that succeeds returns its own. */
const EXIT_CODES: Readonly<Record<ErrorCategory, number>> = {
  input: 3,
  runtime: 3,
  usage: 4,
  cancelled: 130,
  // EX_TEMPFAIL of sysexits.h: schedulers start such a job again.
  paused: 75,
};

export function exitCodeOf(error: AntidoteError): number {
  return EXIT_CODES[error.category];
}

/** Whatever was thrown, as an error with a code: anything unforeseen is a defect of Antidote. */
export function asAntidoteError(thrown: unknown): AntidoteError {
  if (thrown instanceof AntidoteError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new AntidoteError("INTERNAL", message || "Something unforeseen happened.", {
    next: "This is a defect of Antidote: please report it with the command that caused it and the output under ANTIDOTE_DEBUG=1.",
    cause: thrown,
  });
}

/** Prints an error: for people on stderr, with `json` as one document on stdout. */
export function printError(error: AntidoteError, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`);
  else process.stderr.write(errorText(error));
  if (process.env.ANTIDOTE_DEBUG === "1") process.stderr.write(`${stacks(error)}\n`);
}

function errorText({ code, category, message, place, next }: AntidoteError): string {
  const style = (format: "bold" | "red" | "yellow", text: string) =>
    styleText(format, text, { stream: process.stderr });
  const title =
    category === "cancelled" || category === "paused"
      ? style("yellow", "stopped")
      : style("red", "error");
  // Names out of a model file or a folder may hold control characters.
  const lines = [`${title} ${style("bold", code)}: ${visible(message)}`];
  if (place !== undefined) lines.push(`  at: ${visible(place)}`);
  if (next !== undefined) lines.push(`  next: ${visible(next)}`);
  return `${lines.join("\n")}\n`;
}

/** The stack of an error and of everything that led to it. */
function stacks(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) parts.push(at.stack ?? at.message);
  return parts.join("\ncaused by: ");
}
