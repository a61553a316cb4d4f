import { AntidoteError } from "../core/errors.ts";
import { type FloatTensor, type Shape, sameShape } from "../core/tensor.ts";
import { encodeGraph } from "../onnx/encode.ts";
import type { OnnxFile } from "../onnx/file.ts";
import { parseModel } from "../onnx/parse.ts";
import { looksLikeClip } from "./clip/weights.ts";
import { type ResNetShape, resnet18Parameters, resnet18With } from "./resnet18.ts";
import { shownName, weightValues } from "./weight-values.ts";
import { WeightsFile } from "./weights-file.ts";

/** Weights as a model file in memory. */
export interface ImportedWeights {
  readonly file: OnnxFile;
  /** Image size that was taken without anybody stating one. */
  readonly assumedSize: number | undefined;
}

/** Image sizes that are usual for the two beginnings of a ResNet-18. */
const USUAL_SIZE = { cifar: 32, imagenet: 224 } as const;

/** Training bookkeeping of PyTorch's batch norm, which no prediction uses. */
const IGNORED = /\.num_batches_tracked$/;

/** What stands in front of all names where the network was part of another: in DataParallel, in Lightning's modules. */
const WRAPPERS = ["module.", "model."];

/** The tensors whose shapes tell stem, width, channels and classes. */
const TELLING = ["conv1.weight", "fc.weight"];

/**
 * Makes a model of weights in the safetensors format: names and shapes tell which network they are of. Known is
 * ResNet-18 with torchvision's names, with its stem for ImageNet or that for small images, of any width.
 * Preprocessing is no part of it, as in torchvision.
 * @param size of its images, which weights do not say; by default what is usual
 * @throws the errors of `WeightsFile.open`; `MODEL_UNKNOWN_WEIGHTS` for another network; `MODEL_UNSUPPORTED_TYPE`;
 *   `MODEL_NOT_FINITE`
 */
export async function importWeights(
  path: string,
  size: { readonly height: number; readonly width: number } | undefined,
): Promise<ImportedWeights> {
  await using weights = await WeightsFile.open(path);
  const { shape, prefix } = recognise(weights);
  const parameters = new Map<string, FloatTensor>();
  for (const name of resnet18Parameters(shape).keys()) {
    parameters.set(name, await weightValues(weights, `${prefix}${name}`));
  }
  const usual = USUAL_SIZE[shape.stem ?? "cifar"];
  const geometry = size ?? { height: usual, width: usual };
  const graph = resnet18With({ ...shape, ...geometry }, parameters);
  const logits = { name: "logits", type: "float32", shape: [null, shape.classes] } as const;
  const bytes = encodeGraph({ ...graph, values: new Map([["logits", logits]]) });
  return {
    file: { path, model: parseModel(bytes, path), parts: weights.files },
    assumedSize: size ? undefined : usual,
  };
}

/** What network weights are of, and what stands in front of all their names. */
function recognise({ tensors, metadata, path }: WeightsFile): {
  readonly shape: ResNetShape;
  readonly prefix: string;
} {
  if (metadata["antidote-checkpoint"] !== undefined) {
    throw new AntidoteError("MODEL_UNKNOWN_WEIGHTS", "This is a checkpoint of a training run.", {
      place: path,
      next: "Use model.onnx, which lies beside it once the training has ended.",
    });
  }
  if (looksLikeClip(tensors.keys())) {
    throw new AntidoteError(
      "MODEL_UNKNOWN_WEIGHTS",
      "A CLIP model compares images with texts: it has no classes of its own.",
      {
        place: path,
        next: "Make a classifier of its folder and class names first: `antidote zero-shot FOLDER --classes FILE --out classifier.onnx`.",
      },
    );
  }
  const names = [...tensors.keys()].filter((name) => !IGNORED.test(name));
  const prefix = WRAPPERS.find((it) => names.every((name) => name.startsWith(it))) ?? "";
  const missing = TELLING.filter((name) => !tensors.has(prefix + name));
  if (missing.length > 0) {
    throw unknown(
      path,
      names,
      `${missing.join(" and ")} ${missing.length > 1 ? "are" : "is"} missing`,
    );
  }
  const [convolution, head] = TELLING.map((name): Shape => tensors.get(prefix + name)!.shape);
  const [baseWidth, channels, kernel] = convolution!; // [w,C,k,k]
  const [classes] = head!; // [K,8w]
  if (!baseWidth || !channels || !classes) {
    throw unknown(
      path,
      names,
      `${TELLING.join(" or ")} has too few axes, or none along one of them`,
    );
  }
  const stem = kernel === 7 ? "imagenet" : "cifar";
  const shape = { channels, classes, baseWidth, stem } as const;
  const expected = resnet18Parameters(shape);
  for (const [name, wanted] of expected) {
    const found = tensors.get(prefix + name);
    if (!found) throw unknown(path, names, `${name} is missing`);
    if (!sameShape(found.shape, wanted)) {
      const shapes = [found.shape, wanted].map((it) => `[${it.join(", ")}]`);
      throw unknown(path, names, `${name} has the shape ${shapes[0]} instead of ${shapes[1]}`);
    }
  }
  const other = names.find((name) => !expected.has(name.slice(prefix.length)));
  if (other !== undefined) throw unknown(path, names, `they hold ${shownName(other)} as well`);
  return { shape, prefix };
}

function unknown(path: string, names: readonly string[], why: string): AntidoteError {
  const some = names.slice(0, 3).map(shownName).join(", ");
  const these =
    names.length === 1
      ? `The only tensor (${some}) is`
      : `These ${names.length} tensors (${some}${names.length > 3 ? ", …" : ""}) are`;
  return new AntidoteError(
    "MODEL_UNKNOWN_WEIGHTS",
    `${these} no ResNet-18 with torchvision's names, the only network that is known by its weights: ${why}.`,
    {
      place: path,
      next: 'Load them in their own network and export that: `torch.onnx.export(model.eval(), example_images, "model.onnx")`.',
    },
  );
}
