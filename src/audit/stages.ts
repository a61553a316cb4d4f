/** Measures how long the stages of a run take, in their order. */
export class Stopwatch {
  readonly #start = performance.now();
  readonly #stages: { name: string; seconds: number }[] = [];

  /** Does the work and notes its time. */
  async time<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#stages.push({ name, seconds: (performance.now() - start) / 1000 });
    }
  }

  get stages(): readonly { readonly name: string; readonly seconds: number }[] {
    return this.#stages;
  }

  /** Seconds since this stopwatch was made. */
  get total(): number {
    return (performance.now() - this.#start) / 1000;
  }
}
