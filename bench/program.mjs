import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** Runs a command of the built program and returns its JSON document; what it reports goes to stderr. */
export function antidote(...words) {
  const child = spawnSync(process.execPath, [MAIN, ...words, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
  if (child.status !== 0) {
    process.stderr.write(child.stdout); // the error
    process.exit(child.status ?? 1);
  }
  return JSON.parse(child.stdout);
}
