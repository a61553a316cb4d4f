import { AntidoteError, invariant } from "../../core/errors.ts";
import { type FloatTensor, float32, type Shape, sameShape } from "../../core/tensor.ts";
import { shownName, weightValues } from "../weight-values.ts";
import type { WeightsFile } from "../weights-file.ts";
import type { ClipShape } from "./config.ts";
import { clipParameters, IMAGE_TOWER, TEXT_TOWER } from "./parameters.ts";

/** The numbers 0, 1, 2, …, which older versions of transformers store. */
const IGNORED = /\.position_ids$/;

/** Whether tensors of these names are weights of CLIP. */
export function looksLikeClip(names: Iterable<string>): boolean {
  const all = new Set(names);
  const tables = [IMAGE_TOWER, TEXT_TOWER].map(
    (it) => `${it}.embeddings.position_embedding.weight`,
  );
  return tables.every((name) => all.has(name));
}

/**
 * Checks that a file holds all parameters of a CLIP model, in their shapes, and no other.
 * @throws `MODEL_UNKNOWN_WEIGHTS`, which names the tensor that is missing, additional or of another shape
 */
export function checkClipWeights({ tensors, path }: WeightsFile, shape: ClipShape): void {
  const expected = clipParameters(shape);
  for (const [name, wanted] of expected) {
    const found = tensors.get(name);
    if (!found) throw unknown(path, `they lack ${name}`);
    // A single number is stored with one axis, too.
    const isScalar = wanted.length === 0 && sameShape(found.shape, [1]);
    if (!isScalar && !sameShape(found.shape, wanted)) {
      const [is, should] = [found.shape, wanted].map((it) => `[${it.join(", ")}]`);
      throw unknown(path, `${name} has the shape ${is} instead of ${should}`);
    }
  }
  const other = [...tensors.keys()].find((name) => !expected.has(name) && !IGNORED.test(name));
  if (other !== undefined) throw unknown(path, `they hold ${shownName(other)} as well`);
}

/** The values of some parameters. @throws the errors of `weightValues` */
export async function readParameters(
  weights: WeightsFile,
  wanted: ReadonlyMap<string, Shape>,
): Promise<Map<string, FloatTensor>> {
  const parameters = new Map<string, FloatTensor>();
  for (const [name, shape] of wanted) {
    parameters.set(name, float32(shape, (await weightValues(weights, name)).data));
  }
  return parameters;
}

/**
 * The parameters with the class embedding added to the first row of the position embedding, and without it: the image
 * tower knows nothing but this sum, so its graph trains one parameter instead of two that do the same.
 */
export function mergeClassEmbedding(
  parameters: ReadonlyMap<string, FloatTensor>,
): Map<string, FloatTensor> {
  const merged = new Map(parameters);
  const ofClass = `${IMAGE_TOWER}.embeddings.class_embedding`;
  const ofPosition = `${IMAGE_TOWER}.embeddings.position_embedding.weight`;
  const [added, positions] = [parameters.get(ofClass), parameters.get(ofPosition)]; // [d], [1+P,d]
  invariant(added && positions, "a CLIP model has both embeddings");
  const sums = positions.data.slice();
  added.data.forEach((value, i) => {
    sums[i]! += value;
  });
  merged.delete(ofClass);
  merged.set(ofPosition, float32(positions.shape, sums));
  return merged;
}

function unknown(place: string, why: string): AntidoteError {
  return new AntidoteError(
    "MODEL_UNKNOWN_WEIGHTS",
    `These weights are not those of the CLIP model that config.json describes: ${why}.`,
    {
      place,
      next: "Fetch config.json and the weights again, both from the same model; names must be those of the library transformers.",
    },
  );
}
