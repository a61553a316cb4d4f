import { Worker } from "node:worker_threads";

/** How often, in milliseconds, a process looks whether its parent still exists. */
const INTERVAL = 500;

/**
 * Ends this process once the one that started it is gone. A native call or a long loop blocks the main thread, so
 * "disconnect" can come late or never; another thread therefore watches who the parent is.
 */
export function endWithParent(): void {
  new Worker(
    `const parent = process.ppid;
     setInterval(() => process.ppid === parent || process.kill(process.pid, "SIGKILL"), ${INTERVAL});`,
    { eval: true },
  ).unref();
}
