import { float32, sizeOf } from "../../dist/core/tensor.js";

/** Random parameters of these names and shapes: matrices from U(±√(3/fan-in)), normalisations as the identity, biases at 0. */
export function randomWeights(shapes) {
  return new Map(Array.from(shapes, ([name, shape]) => [name, start(name, shape)]));
}

function start(name, shape) {
  const bound = Math.sqrt((3 * shape[0]) / sizeOf(shape));
  if (shape.length > 1) return filled(shape, -bound, bound);
  const value = name.endsWith("weight") ? 1 : 0;
  return float32(shape, new Float32Array(sizeOf(shape)).fill(value));
}

/** Numbers that look drawn, the same in every run: a congruential generator. */
export function filled(shape, low, high) {
  const values = new Float32Array(sizeOf(shape));
  let state = values.length;
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = low + ((high - low) * state) / 2 ** 32;
  }
  return float32(shape, values);
}
