import { float32 } from "../../core/tensor.ts";
import type { Value } from "../../onnx/graph.ts";
import type { Application, Rule } from "../rule.ts";
import { alongAxis } from "./along-axis.ts";

/**
 * Interpolation is linear in x and works on one axis after the other: y = x·R along each, so
 * dx = dy·Rᵀ. Row i of R is what becomes of the i-th unit vector, so R is the operator's own result for
 * the identity matrix, with all its ways to map coordinates, round and weigh.
 */
export const resize: Rule = (a) => [
  () => {
    const mapping = a.text("coordinate_transformation_mode", "half_pixel");
    if (mapping === "tf_crop_and_resize") throw a.refusal(`another mapping than "${mapping}"`);
    const policy = a.text("keep_aspect_ratio_policy", "stretch");
    if (policy !== "stretch") throw a.refusal(`sizes that are exact, not "${policy}"`);
    return a.x.shape.reduce((value, _, axis) => {
      const response = responses(a, axis);
      return response ? alongAxis(a.b, response, value, axis) : value;
    }, a.dy);
  },
];

/** R along an axis: [extent of x, extent of y]; undefined where nothing changes. */
function responses(a: Application, axis: number): Value | undefined {
  const { b, x, y } = a;
  const [extent, size] = [x.shape[axis]!, y.shape[axis]!];
  const axes = a.node.attributes.get("axes")?.value as readonly number[] | undefined;
  const at = axes
    ? axes.findIndex((given) => given === axis || given + x.shape.length === axis)
    : axis;
  const scales = a.ints(2);
  const scale = scales?.length ? scales[at] : size / extent;
  if (at < 0 || scale === 1) return undefined;
  const unit = Float32Array.from({ length: extent ** 2 }, (_, i) => (i % (extent + 1) ? 0 : 1));
  const identity = b.constant(float32([1, 1, extent, extent], unit));
  const shape = [1, 1, extent, size];
  const target = scales?.length
    ? [undefined, b.constant(float32([4], [1, 1, 1, scale!]))]
    : [undefined, undefined, b.ints(shape)];
  const found = b.op(
    "Resize",
    [identity, ...target],
    {
      mode: a.text("mode", "nearest"),
      coordinate_transformation_mode: a.text("coordinate_transformation_mode", "half_pixel"),
      nearest_mode: a.text("nearest_mode", "round_prefer_floor"),
      cubic_coeff_a: { float: a.float("cubic_coeff_a", -0.75) },
      exclude_outside: a.int("exclude_outside", 0),
      antialias: a.int("antialias", 0),
    },
    { type: "float32", shape },
  );
  return b.reshape(found, [extent, size]);
}
