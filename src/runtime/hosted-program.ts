import { invariant } from "../core/errors.ts";
import { sameShape, type Tensor } from "../core/tensor.ts";
import type { StaticGraph, Value } from "../onnx/graph.ts";
import type { Program, Tensors } from "./device.ts";
import type { HostProcess } from "./host-process.ts";

type State = Readonly<Record<string, string | null>>;

/** A session in a host process. Names, types and shapes are checked here, where the mistake was made. */
export class HostedProgram implements Program {
  readonly outputTypes: Readonly<Record<string, string>>;
  readonly #host: HostProcess;
  readonly #id: number;
  readonly #inputs: ReadonlyMap<string, Value>;
  readonly #state: State;
  readonly #outputs: readonly string[];
  readonly #written = new Set<string>();
  #released = false;

  constructor(
    host: HostProcess,
    id: number,
    graph: StaticGraph,
    state: State,
    outputTypes: Readonly<Record<string, string>>,
  ) {
    this.#host = host;
    this.#id = id;
    this.#inputs = new Map(graph.inputs.map((input) => [input.name, input]));
    this.#state = state;
    for (const [name, output] of Object.entries(state)) {
      invariant(this.#inputs.has(name), `the state "${name}" is not an input`);
      invariant(
        output === null || graph.outputs.includes(output),
        `"${output}", which replaces "${name}", is not an output`,
      );
    }
    const replacing = new Set(Object.values(state));
    this.#outputs = graph.outputs.filter((output) => !replacing.has(output));
    this.outputTypes = outputTypes;
  }

  async run(
    feeds: Tensors,
    options: { readonly signal?: AbortSignal | undefined; readonly fetch?: readonly string[] } = {},
  ): Promise<Record<string, Tensor>> {
    this.#checkNotReleased();
    const { signal, fetch = this.#outputs } = options;
    for (const [name, tensor] of Object.entries(feeds)) {
      invariant(!(name in this.#state), `"${name}" is state: write it instead of feeding it`);
      this.#check(name, tensor);
    }
    for (const name of this.#inputs.keys()) {
      invariant(name in this.#state || name in feeds, `the input "${name}" is not fed`);
    }
    for (const name of Object.keys(this.#state)) {
      invariant(this.#written.has(name), `the state "${name}" has never been written`);
    }
    for (const name of fetch) {
      invariant(name in this.outputTypes, `the program has no output "${name}"`);
    }
    return this.#host.call("run", { program: this.#id, feeds, fetch }, signal);
  }

  async write(state: Tensors): Promise<void> {
    this.#checkNotReleased();
    for (const [name, tensor] of Object.entries(state)) {
      this.#checkIsState(name);
      this.#check(name, tensor);
    }
    for (const name of Object.keys(state)) this.#written.add(name);
    await this.#host.call("write", { program: this.#id, state });
  }

  async read(names: readonly string[] = Object.keys(this.#state)): Promise<Record<string, Tensor>> {
    this.#checkNotReleased();
    for (const name of names) {
      this.#checkIsState(name);
      invariant(this.#written.has(name), `the state "${name}" has never been written`);
    }
    return this.#host.call("read", { program: this.#id, names });
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    // Not awaited: a run that was cancelled may still be under way, and an ended process holds nothing.
    this.#host.call("release", { program: this.#id }).catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  #checkNotReleased(): void {
    invariant(!this.#released, "the program has been released");
  }

  #checkIsState(name: string): void {
    invariant(name in this.#state, `the program has no state "${name}"`);
  }

  #check(name: string, { type, shape }: Tensor): void {
    const input = this.#inputs.get(name);
    invariant(input, `the program has no input "${name}"`);
    invariant(
      type === input.type && sameShape(shape, input.shape),
      `"${name}" expects ${input.type} [${input.shape.join(", ")}] but gets ${type} [${shape.join(", ")}]`,
    );
  }
}
