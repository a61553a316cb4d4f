import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** Identifiers of the processes of a group that are at work; those that have ended and are not buried yet do not count. */
export function membersOf(group: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,pgid=,stat="], { encoding: "utf8" });
  return table.split("\n").flatMap((line) => {
    const [pid, pgid, state = "Z"] = line.trim().split(/\s+/);
    return Number(pgid) === group && !state.startsWith("Z") ? [Number(pid)] : [];
  });
}

/** Waits until a condition holds; fails after ten minutes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await condition()); waited += 20) {
    if (waited > 600_000) throw new Error("waited in vain");
    await sleep(20);
  }
}
