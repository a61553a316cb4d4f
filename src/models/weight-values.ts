import { AntidoteError } from "../core/errors.ts";
import type { FloatTensor } from "../core/tensor.ts";
import { convertFloat } from "../onnx/tensors.ts";
import type { WeightsFile } from "./weights-file.ts";

const FLOATS = new Set(["float32", "float16", "bfloat16"]);

/**
 * The values of a tensor as float32, all of them finite, running variances not negative.
 * @throws `MODEL_UNSUPPORTED_TYPE`, `MODEL_NOT_FINITE`, `MODEL_INVALID`
 */
export async function weightValues(weights: WeightsFile, name: string): Promise<FloatTensor> {
  const stored = weights.tensors.get(name)!;
  if (!FLOATS.has(stored.type)) {
    throw new AntidoteError(
      "MODEL_UNSUPPORTED_TYPE",
      `The weight "${name}" is stored as ${stored.type}; float32, float16 and bfloat16 are read.`,
      { place: name, next: "Save the weights in one of these types." },
    );
  }
  const value = convertFloat(await weights.read(name), "float32") as FloatTensor;
  const isVariance = name.endsWith(".running_var");
  const at = value.data.findIndex((v) => !Number.isFinite(v) || (isVariance && v < 0));
  if (at < 0) return value;
  throw new AntidoteError(
    "MODEL_NOT_FINITE",
    `The weight "${name}" holds ${value.data[at]} at position ${at}.`,
    {
      place: name,
      next: "The file is damaged or its training diverged: use an intact checkpoint.",
    },
  );
}

/** The name of a tensor in a message, cut short: whoever wrote the file chose its length. */
export function shownName(name: string): string {
  return name.length <= 60 ? name : `${name.slice(0, 60)}…`;
}
