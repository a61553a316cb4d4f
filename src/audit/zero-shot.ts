import type { FloatTensor } from "../core/tensor.ts";
import { Classifier } from "../models/classifier.ts";
import { clipClassifier, zeroShotHead } from "../models/clip/classifier.ts";
import { imageParameters, LOGIT_SCALE, textParameters } from "../models/clip/parameters.ts";
import { isNameless, promptsFor, withoutIndices } from "../models/clip/prompts.ts";
import { textEmbeddings } from "../models/clip/text-embeddings.ts";
import { readParameters } from "../models/clip/weights.ts";
import type { RunContext } from "../runtime/context.ts";
import type { ClipFolder } from "./clip-folder.ts";

/** A classifier made of a CLIP model, and what deserves attention about its classes. */
export interface ZeroShot {
  readonly classifier: Classifier;
  readonly warnings: readonly string[];
}

/**
 * Makes a classifier of a CLIP model and class names: the image tower with a linear head whose weights are the
 * embeddings of the classes' prompts (Radford et al. 2021, section 3.1). The text tower is not part of it, so what
 * trains or repairs the classifier changes image tower and head.
 * @param classNames in label order
 * @param templates in which `{}` stands for the class
 * @throws the errors of `textEmbeddings`, `readParameters` and `Classifier.fromGraph`
 */
export async function zeroShot(
  context: Pick<RunContext, "device" | "emit" | "signal">,
  clip: ClipFolder,
  classNames: readonly string[],
  templates: readonly string[],
): Promise<ZeroShot> {
  const names = withoutIndices(classNames);
  const head = await headFor(context, clip, names, templates);
  const parameters = await readParameters(clip.weights, imageParameters(clip.shape));
  const graph = clipClassifier(clip.shape, parameters, head, clip.preprocessing);
  const classifier = await Classifier.fromGraph(graph, context.device);
  const nameless = names.filter(isNameless);
  const [first] = nameless;
  if (first === undefined) return { classifier, warnings: clip.warnings };
  const warning = `${nameless.length} of ${names.length} class names are numbers or identifiers ("${first}"), of which no text tower knows what they show: give names in words.`;
  return { classifier, warnings: [...clip.warnings, warning] };
}

async function headFor(
  context: Pick<RunContext, "device" | "emit" | "signal">,
  { weights, shape, tokenizer }: ClipFolder,
  classNames: readonly string[],
  templates: readonly string[],
): Promise<FloatTensor> {
  const prompts = classNames.flatMap((name) => promptsFor(name, templates));
  // In a scope of its own: the text tower is as large as all the rest, and not needed any more.
  const parameters = await readParameters(weights, textParameters(shape));
  const embeddings = await textEmbeddings(context, shape, parameters, tokenizer, prompts);
  const scale = await readParameters(weights, new Map([[LOGIT_SCALE, []]]));
  return zeroShotHead(embeddings, templates.length, scale.get(LOGIT_SCALE)!.data[0]!);
}
