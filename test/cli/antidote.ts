import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The built program. */
export const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** What a command line printed, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the built program.
 * @param started gets the process, e.g. to send it a signal
 * @param ownGroup whether it leads a group of processes of its own
 */
export function antidote(
  words: readonly string[],
  started: (child: ChildProcess) => void = () => {},
  ownGroup = false,
): Promise<Ended> {
  if (!existsSync(MAIN)) throw new Error("The program is not built: run `npm run build` first.");
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: ownGroup,
    env: { ...process.env, NO_COLOR: "1", ANTIDOTE_DEBUG: "" },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (bytes) => (stdout += bytes));
  child.stderr.on("data", (bytes) => (stderr += bytes));
  started(child);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
