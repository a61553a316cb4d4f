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

/** The outcome of one run. */
export interface StepResult<Metric extends string> {
  readonly loss: number;
  readonly metrics: Readonly<Record<Metric, Tensor>>;
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
   * Makes one step.
   * @throws `CANCELLED`, `RUNTIME_FAILED`, `RUNTIME_CRASHED`. A loss that is not finite is returned as it is.
   */
  run(
    feeds: Tensors,
    learningRate: number,
    signal?: AbortSignal | undefined,
  ): Promise<StepResult<Metric>>;
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

/** Differentiates, adds the optimiser and compiles. Everything starts at the values of the definition. */
export async function compileStep<Metric extends string = never>(
  device: Device,
  definition: StepDefinition<Metric>,
): Promise<Step<Metric>> {
  const { optimiser, parameters, buffers = new Map<string, Tensor>() } = definition;
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
  names.forEach((name, i) => {
    const parameter = at(name);
    const memory: Record<string, Value> = {};
    for (const slot of optimiser.slots) {
      const key = `${slot}/${name}`;
      slots.set(key, zeros(parameter.shape));
      memory[slot] = b.input(SLOT + key, "float32", parameter.shape);
    }
    const updated = optimiser.update(b, parameter, slopes[i]!, memory, scalars);
    const next = definition.project?.(b, name, updated.parameter) ?? updated.parameter;
    // These are as large as the model: they become outputs under their own names, without a copy.
    state[name] = next.name;
    b.output(next.name, next);
    for (const slot of optimiser.slots) {
      const value = updated.slots[slot]!;
      state[`${SLOT}${slot}/${name}`] = value.name;
      b.output(value.name, value);
    }
  });

  const fetched: Readonly<Record<string, Value>> = { ...metrics, loss };
  for (const [name, value] of Object.entries(fetched)) b.output(METRIC + name, value);

  const program = await device.compile(winogradConvolutions(lowerBatchNorm(b.build())), { state });
  const step = new CompiledStep<Metric>(program, optimiser, [...start.keys()], slots);
  await step.write(start);
  await step.resetOptimiser();
  return step;
}

class CompiledStep<Metric extends string> implements Step<Metric> {
  readonly #program: Program;
  readonly #optimiser: Optimiser;
  readonly #names: readonly string[];
  /** Slots at the start: zeros. */
  readonly #slots: ReadonlyMap<string, Tensor>;
  #steps = 0;

  constructor(
    program: Program,
    optimiser: Optimiser,
    names: readonly string[],
    slots: ReadonlyMap<string, Tensor>,
  ) {
    this.#program = program;
    this.#optimiser = optimiser;
    this.#names = names;
    this.#slots = slots;
  }

  async run(
    feeds: Tensors,
    learningRate: number,
    signal?: AbortSignal | undefined,
  ): Promise<StepResult<Metric>> {
    const all: Record<string, Tensor> = { ...feeds };
    const coefficients = this.#optimiser.coefficients(this.#steps + 1, learningRate);
    for (const [name, value] of Object.entries(coefficients)) {
      all[SLOT + name] = float32([], [value]);
    }
    const outputs = await this.#program.run(all, { signal });
    this.#steps++;
    const { loss, ...metrics } = Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [name.slice(METRIC.length), value]),
    );
    invariant(loss, "the step returned no loss");
    return { loss: toNumbers(loss)[0]!, metrics: metrics as Record<Metric, Tensor> };
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
