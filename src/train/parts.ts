import { invariant } from "../core/errors.ts";
import { sizeOf, type Tensor, tensor } from "../core/tensor.ts";
import type { Tensors } from "../runtime/device.ts";

/**
 * The feeds of a whole step, [N,…] each, as those of its parts: N/parts rows each, in order.
 * @param common what every part is fed whole
 */
export function inParts(feeds: Tensors, parts: number, common: Tensors = {}): Tensors[] {
  if (parts === 1) return [{ ...feeds, ...common }];
  return Array.from({ length: parts }, (_, part) => {
    const own = Object.entries(feeds).map(([name, all]) => [name, rowsOf(all, part, parts)]);
    return { ...Object.fromEntries(own), ...common };
  });
}

function rowsOf({ type, shape, data }: Tensor, part: number, parts: number): Tensor {
  const [rows = 0, ...rest] = shape;
  invariant(rows % parts === 0, "the parts of a step are equal");
  const length = (rows / parts) * sizeOf(rest);
  return tensor(type, [rows / parts, ...rest], data.slice(part * length, (part + 1) * length));
}
