#!/usr/bin/env node
import { notWritable } from "../core/write-file.ts";
import { COMMANDS } from "./commands/index.ts";
import { exitCodeOf, printError } from "./output/errors.ts";
import { run } from "./run.ts";

// A reader that has seen enough, such as `head`, closes the pipe.
process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  if (cause.code === "EPIPE") process.exit();
  const error = notWritable("standard output", cause);
  printError(error, false);
  process.exit(exitCodeOf(error));
});
// Progress that nobody reads is no reason to stop.
process.stderr.on("error", () => {});

process.exitCode = await run(process.argv.slice(2), COMMANDS);
