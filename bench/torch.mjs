import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("torch_steps.py", import.meta.url));

/** The same steps in a Python process that stays alive, so that both sides can take turns. */
export class Torch {
  #child;
  #lines;

  /**
   * @param {string} python interpreter
   * @param {{width: number, batch: number, threads: number}} size
   * @returns {Promise<Torch | undefined>} undefined where this Python cannot be started or has no torch
   */
  static async open(python, size) {
    const torch = new Torch(python);
    const answer = await torch.#ask({ do: "open", ...size });
    if (!answer) return undefined;
    torch.version = answer.torch;
    return torch;
  }

  /** @param {string} python */
  constructor(python) {
    // Waiting threads sleep, as on our side: spinning ones would be slowed down by other programs, and
    // count as processor time.
    const env = { ...process.env, OMP_WAIT_POLICY: "passive" };
    this.#child = spawn(python, [SCRIPT], { stdio: ["pipe", "pipe", "ignore"], env });
    // What goes wrong shows as an end of the output.
    this.#child.on("error", () => {});
    this.#child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /**
   * Makes one step.
   * @param {"training" | "inversion"} work
   * @param {"contiguous" | "channels_last"} layout
   * @returns {Promise<{seconds: number, cpuSeconds: number}>} elapsed, and of all processors
   */
  async step(work, layout) {
    const answer = await this.#ask({ do: work, layout });
    if (!answer) throw new Error(`PyTorch ended during ${work}.`);
    return answer;
  }

  close() {
    this.#child.stdin.end();
  }

  async #ask(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    const { done, value } = await this.#lines.next();
    return done ? undefined : JSON.parse(value);
  }
}
