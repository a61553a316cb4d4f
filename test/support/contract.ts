import { readdirSync } from "node:fs";
import { expect } from "vitest";
import type { z } from "zod";
import type { Progress } from "../../src/core/progress.ts";
import { Random } from "../../src/core/random.ts";
import type { FloatTensor, Tensor } from "../../src/core/tensor.ts";
import type { RunContext } from "../../src/runtime/context.ts";
import type { Device } from "../../src/runtime/device.ts";

/** Files of a folder of methods that hold something else than a method. */
export function expectRegistryIsFolder(
  folder: string,
  registry: Readonly<Record<string, { readonly name: string }>>,
  shared: readonly string[],
): void {
  const files = readdirSync(new URL(`../../src/${folder}/`, import.meta.url));
  const methods = files.filter((file) => !shared.includes(file));
  expect(methods.map((file) => file.replace(".ts", "")).sort()).toEqual(
    Object.keys(registry).sort(),
  );
  for (const [name, method] of Object.entries(registry)) expect(method.name).toBe(name);
}

/** A schema of options that refuses unknown ones, has a default for all and says what each is. */
export function expectDescribed(config: z.ZodType): void {
  expect(config.safeParse({ nonsense: 1 }).success).toBe(false);
  expect(config.safeParse({}).success).toBe(true);
  const { shape } = config as unknown as { shape: Record<string, { description?: string }> };
  for (const [option, schema] of Object.entries(shape)) {
    expect(schema.description, option).toBeTruthy();
  }
}

/** A context that keeps what is emitted, and is aborted by its first event if wanted. */
export function watched(device: Device, seed: number, abort = false) {
  const events: Progress[] = [];
  const controller = new AbortController();
  const context: RunContext = {
    device,
    random: Random.fromSeed(seed),
    signal: controller.signal,
    emit(event) {
      events.push(event);
      if (abort) controller.abort();
    },
  };
  return { context, events };
}

/** Every stage counts up one by one to its announced total; a stage that is finished may begin again. */
export function expectProgress(events: readonly Progress[]): void {
  const stages = new Map<string, number>();
  for (const event of events) {
    if (event.kind !== "step") continue;
    const { stage, done, total } = event;
    expect(done, stage).toBe((stages.get(stage) ?? 0) + 1);
    stages.set(stage, done === total ? 0 : done);
  }
  expect([...stages.values()]).toEqual([...stages].map(() => 0));
  expect(stages.size).toBeGreaterThan(0);
}

/** Whether two sets of tensors are the same to the last bit. */
export function sameBits(a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([name, tensor]) => {
      const [x, y] = [tensor, b.get(name)!].map((it) => (it as FloatTensor).data);
      return x!.every((value, i) => Object.is(value, y![i]));
    })
  );
}
