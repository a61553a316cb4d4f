#!/usr/bin/env node
import { COMMANDS } from "./commands/index.ts";
import { run } from "./run.ts";

// A reader that has seen enough, such as `head`, closes the pipe.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

process.exitCode = await run(process.argv.slice(2), COMMANDS);
