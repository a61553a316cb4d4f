/**
 * The program of a device's process: computes what the main process asks for, and never outlives it.
 * Started by `HostProcess` with the device name and the number of threads as arguments.
 */
import type { DeviceName } from "./device.ts";
import type { Answer, Call, Reply, Request } from "./protocol.ts";
import { Sessions } from "./sessions.ts";
import { endWithParent } from "./watch-parent.ts";

const [device, threads] = process.argv.slice(2);
const sessions = new Sessions({ device: device as DeviceName, threads: Number(threads) });

async function answer({ operation, request }: Call): Promise<Reply> {
  try {
    const handle = sessions[operation] as (request: Request) => Promise<Answer>;
    return { ok: true, answer: await handle.call(sessions, request) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

process.on("message", async (call: Call) => {
  process.send?.(await answer(call));
});

// Ctrl-C reaches the whole process group; the main process decides what it means for its hosts.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit());
endWithParent();
