import { invariant } from "../core/errors.ts";
import { sizeOf, type Tensor, tensor } from "../core/tensor.ts";
import type { Tensors } from "../runtime/device.ts";

/** The feeds of a whole step, [N,…] each, as those of its parts: N/parts rows each, in order. */
export function inParts(feeds: Tensors, parts: number): Tensors[] {
  if (parts === 1) return [feeds];
  return Array.from({ length: parts }, (_, part) =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, all]) => [name, rowsOf(all, part, parts)]),
    ),
  );
}

function rowsOf({ type, shape, data }: Tensor, part: number, parts: number): Tensor {
  const [rows = 0, ...rest] = shape;
  invariant(rows % parts === 0, "the parts of a step are equal");
  const length = (rows / parts) * sizeOf(rest);
  return tensor(type, [rows / parts, ...rest], data.slice(part * length, (part + 1) * length));
}
