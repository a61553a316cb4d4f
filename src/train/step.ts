import { gradients } from "../autodiff/gradients.ts";
import { lowerBatchNorm } from "../autodiff/live-batch-norm.ts";
import { winogradConvolutions } from "../autodiff/winograd.ts";
import { invariant } from "../core/errors.ts";
import { float32, type Tensor, toNumbers, zeros } from "../core/tensor.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/graph.ts";
import type { Device, Program, Tensors } from "../runtime/device.ts";
import type { Optimiser } from "./optimisers.ts";

/**
 * One step of an optimisation: what is optimised, the loss, and the rule that lowers it. Training,
 * repair and trigger inversion are all of this form.
 */
export interface StepDefinition<Metric extends string = never> {
  /** Start values of what is optimised, by name. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Start values of what the step carries without differentiating it (running statistics, …). */
  readonly buffers?: ReadonlyMap<string, Tensor>;
  /**
   * Writes the loss. `at(name)` is a parameter or buffer before the step; inputs that `build` declares
   * become the feeds of a run.
   */
  build(b: GraphBuilder, at: (name: string) => Value): StepOutputs<Metric>;
  readonly optimiser: Optimiser;
  /**
   * Into how many parts a step is divided; default 1. The graph computes one part at a time, the slopes of all parts are
   * averaged before the parameters move, and buffers are updated with every part.
   */
  readonly parts?: number | undefined;
  /** Maps a parameter after its update, e.g. to clamp a trigger or restore a norm. */
  project?(b: GraphBuilder, name: string, updated: Value): Value;
}

/** What `build` returns. */
export interface StepOutputs<Metric extends string> {
  /** A float32 scalar. */
  readonly loss: Value;
  /**
   * For a parameter a value of its shape at which the slope is taken instead; the parameter itself is what the
   * slope then moves. What the value was computed from is not differentiated.
   */
  readonly slopesAt?: ReadonlyMap<string, Value>;
  /** Values to fetch with every run, computed before the update. */
  readonly metrics?: Readonly<Record<Metric, Value>>;
  /** New values of buffers, by name. A buffer without one stays as it is. */
  readonly updates?: ReadonlyMap<string, Value>;
}

type Metrics<Metric extends string> = Readonly<Record<Metric, Tensor>>;

/** The outcome of one step. */
export interface StepResult<Metric extends string> {
  readonly loss: number;
  readonly metrics: Metrics<Metric>;
}

/** The outcome of one step in parts. */
export interface PartsResult<Metric extends string> {
  /** The mean over all parts. */
  readonly loss: number;
  /** Those of every part, in order. */
  readonly metrics: readonly Metrics<Metric>[];
}

/** The memory of the optimiser: with parameters and buffers, all that a step needs to continue exactly. */
export interface OptimiserState {
  /** Steps made so far. */
  readonly steps: number;
  /** Slot tensors, by "slot/parameter". */
  readonly slots: ReadonlyMap<string, Tensor>;
}

/** A compiled step. Parameters, buffers and optimiser slots stay on the device between runs. */
export interface Step<Metric extends string = never> {
  /**
   * Makes one step, of a definition with one part.
   * @throws `CANCELLED`, `RUNTIME_FAILED`, `RUNTIME_CRASHED`. A loss that is not finite is returned as it is.
   */
  run(
    feeds: Tensors,
    learningRate: number,
    signal?: AbortSignal | undefined,
  ): Promise<StepResult<Metric>>;
  /** The same from the feeds of every part. */
  runParts(
    parts: readonly Tensors[],
    learningRate: number,
    signal?: AbortSignal | undefined,
  ): Promise<PartsResult<Metric>>;
  /** Parameters and buffers as they are now: those named, by default all. */
  read(names?: readonly string[]): Promise<Map<string, Tensor>>;
  /** Sets parameters and buffers, e.g. to start again without compiling. The optimiser keeps its memory. */
  write(values: ReadonlyMap<string, Tensor>): Promise<void>;
  readOptimiser(): Promise<OptimiserState>;
  writeOptimiser(state: OptimiserState): Promise<void>;
  /** Makes the optimiser forget: slots at zero, no steps made. */
  resetOptimiser(): Promise<void>;
  release(): Promise<void>;
}

const SLOT = "optimiser/";
const METRIC = "metric/";
const SUM = "sum/";
/** Scalars of a divided step: 1 at the first part, and 1 at the last one. */
const FIRST = "parts/first";
const LAST = "parts/last";

/** Differentiates, adds the optimiser and compiles. Everything starts at the values of the definition. */
export async function compileStep<Metric extends string = never>(
  device: Device,
  definition: StepDefinition<Metric>,
): Promise<Step<Metric>> {
  const { optimiser, parameters, buffers = new Map<string, Tensor>(), parts = 1 } = definition;
  const start = new Map([...buffers, ...parameters]);
  invariant(start.size === buffers.size + parameters.size, "a name is a parameter and a buffer");

  const b = new GraphBuilder();
  const carried = new Map<string, Value>();
  for (const [name, value] of start) carried.set(name, b.input(name, value.type, value.shape));
  const at = (name: string): Value => {
    const value = carried.get(name);
    invariant(value, `the step has no parameter or buffer "${name}"`);
    return value;
  };
  const built = definition.build(b, at);
  const { loss, metrics, updates = new Map<string, Value>(), slopesAt } = built;

  const state: Record<string, string | null> = {};
  for (const name of buffers.keys()) {
    const updated = updates.get(name);
    state[name] = updated ? `next/${name}` : null;
    if (updated) b.output(`next/${name}`, updated);
  }

  const scalars = Object.fromEntries(
    optimiser.scalars.map((name) => [name, b.input(`${SLOT}${name}`, "float32", [])]),
  );
  const names = [...parameters.keys()];
  const slopes = gradients(
    b,
    loss,
    names.map((name) => slopesAt?.get(name) ?? at(name)),
  );
  const slots = new Map<string, Tensor>();
  const divided = parts > 1 ? new DividedStep(b, parts) : undefined;
  const sums = new Map<string, Tensor>();
  names.forEach((name, i) => {
    const parameter = at(name);
    if (divided) sums.set(SUM + name, zeros(parameter.shape));
    const slope = divided?.average(name, slopes[i]!, state) ?? slopes[i]!;
    const memory: Record<string, Value> = {};
    for (const slot of optimiser.slots) {
      const key = `${slot}/${name}`;
      slots.set(key, zeros(parameter.shape));
      memory[slot] = b.input(SLOT + key, "float32", parameter.shape);
    }
    const updated = optimiser.update(b, parameter, slope, memory, scalars);
    const moved = definition.project?.(b, name, updated.parameter) ?? updated.parameter;
    const next = divided?.atLast(moved, parameter) ?? moved;
    // These are as large as the model: they become outputs under their own names, without a copy.
    state[name] = next.name;
    b.output(next.name, next);
    for (const slot of optimiser.slots) {
      const remembered = updated.slots[slot]!;
      const value = divided?.atLast(remembered, memory[slot]!) ?? remembered;
      state[`${SLOT}${slot}/${name}`] = value.name;
      b.output(value.name, value);
    }
  });

  const fetched: Readonly<Record<string, Value>> = { ...metrics, loss };
  for (const [name, value] of Object.entries(fetched)) b.output(METRIC + name, value);

  const program = await device.compile(winogradConvolutions(lowerBatchNorm(b.build())), { state });
  const step = new CompiledStep<Metric>(program, optimiser, [...start.keys()], slots, parts);
  await step.write(new Map([...start, ...sums]));
  await step.resetOptimiser();
  return step;
}

/** Writes what a step needs that is computed part by part. */
class DividedStep {
  readonly #b: GraphBuilder;
  readonly #share: Value;
  readonly #isFirst: Value;
  readonly #isLast: Value;

  constructor(b: GraphBuilder, parts: number) {
    this.#b = b;
    this.#share = b.scalar(1 / parts);
    this.#isFirst = b.cast(b.input(FIRST, "float32", []), "bool");
    this.#isLast = b.cast(b.input(LAST, "float32", []), "bool");
  }

  /** The mean of the slopes of this and all earlier parts, which the program carries. */
  average(name: string, slope: Value, state: Record<string, string | null>): Value {
    const b = this.#b;
    const sum = b.input(SUM + name, "float32", slope.shape);
    const own = b.mul(slope, this.#share);
    // Chosen, not multiplied by zero: whatever an earlier step left, even no number, is forgotten.
    const next = b.where(this.#isFirst, own, b.add(sum, own));
    state[SUM + name] = next.name;
    b.output(next.name, next);
    return next;
  }

  /** The new value after the last part, and the old one before that. */
  atLast(next: Value, old: Value): Value {
    return this.#b.where(this.#isLast, next, old);
  }
}

class CompiledStep<Metric extends string> implements Step<Metric> {
  readonly #program: Program;
  readonly #optimiser: Optimiser;
  readonly #names: readonly string[];
  /** Slots at the start: zeros. */
  readonly #slots: ReadonlyMap<string, Tensor>;
  readonly #parts: number;
  #steps = 0;

  constructor(
    program: Program,
    optimiser: Optimiser,
    names: readonly string[],
    slots: ReadonlyMap<string, Tensor>,
    parts: number,
  ) {
    this.#program = program;
    this.#optimiser = optimiser;
    this.#names = names;
    this.#slots = slots;
    this.#parts = parts;
  }

  async run(
    feeds: Tensors,
    learningRate: number,
    signal?: AbortSignal | undefined,
  ): Promise<StepResult<Metric>> {
    const { loss, metrics } = await this.runParts([feeds], learningRate, signal);
    return { loss, metrics: metrics[0]! };
  }

  async runParts(
    parts: readonly Tensors[],
    learningRate: number,
    signal?: AbortSignal | undefined,
  ): Promise<PartsResult<Metric>> {
    invariant(parts.length === this.#parts, `the step has ${this.#parts} parts`);
    const coefficients = this.#optimiser.coefficients(this.#steps + 1, learningRate);
    const named = Object.entries(coefficients).map(
      ([name, value]) => [SLOT + name, value] as const,
    );
    const metrics: Metrics<Metric>[] = [];
    let sum = 0;
    for (const [i, feeds] of parts.entries()) {
      const place =
        parts.length > 1
          ? { [FIRST]: Number(i === 0), [LAST]: Number(i === parts.length - 1) }
          : {};
      const all: Record<string, Tensor> = { ...feeds };
      for (const [name, value] of [...named, ...Object.entries(place)]) {
        all[name] = float32([], [value]);
      }
      const outputs = await this.#program.run(all, { signal });
      const { loss, ...others } = Object.fromEntries(
        Object.entries(outputs).map(([name, value]) => [name.slice(METRIC.length), value]),
      );
      invariant(loss, "the step returned no loss");
      sum += toNumbers(loss)[0]!;
      metrics.push(others as Metrics<Metric>);
    }
    this.#steps++;
    return { loss: sum / parts.length, metrics };
  }

  async read(names: readonly string[] = this.#names): Promise<Map<string, Tensor>> {
    return new Map(Object.entries(await this.#program.read(names)));
  }

  write(values: ReadonlyMap<string, Tensor>): Promise<void> {
    return this.#program.write(Object.fromEntries(values));
  }

  async readOptimiser(): Promise<OptimiserState> {
    const read = await this.#program.read([...this.#slots.keys()].map((key) => SLOT + key));
    const slots = new Map(
      Object.entries(read).map(([name, value]) => [name.slice(SLOT.length), value]),
    );
    return { steps: this.#steps, slots };
  }

  async writeOptimiser(state: OptimiserState): Promise<void> {
    const named = [...state.slots].map(([key, value]) => [SLOT + key, value] as const);
    await this.#program.write(Object.fromEntries(named));
    this.#steps = state.steps;
  }

  resetOptimiser(): Promise<void> {
    return this.writeOptimiser({ steps: 0, slots: this.#slots });
  }

  release(): Promise<void> {
    return this.#program.release();
  }
}
