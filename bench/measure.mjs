import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { Random } from "../dist/core/random.js";

const RESAMPLES = 2000;

/** Clock ticks per second in /proc, the same on every Linux. */
const TICKS = 100;

/** Time from its creation on: elapsed, and what a process spends on processors. */
export class Stopwatch {
  #pid;
  #start = performance.now();
  #startCpu;

  /** @param {number} pid */
  constructor(pid) {
    this.#pid = pid;
    this.#startCpu = cpuSeconds(pid);
  }

  read() {
    return {
      seconds: (performance.now() - this.#start) / 1000,
      cpuSeconds: cpuSeconds(this.#pid) - this.#startCpu,
    };
  }
}

/** Processor time of a process so far, all threads, user and system; NaN where there is no /proc. */
function cpuSeconds(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return Number.NaN;
  }
}

/**
 * The median with its 95 % bootstrap interval: the range of the medians of samples drawn from these.
 * @param {readonly number[]} values at least one
 */
export function medianWithInterval(values) {
  const random = Random.fromSeed(0).fork("bootstrap");
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[random.integer(0, values.length)])),
  );
  return { value: median(values), low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}

export function median(values) {
  return quantile(values, 0.5);
}

/** By linear interpolation between the two nearest values. */
function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
