import { z } from "zod";
import type { AttackInput, Need } from "../attacks/attack.ts";
import { openModel } from "../audit/open.ts";
import { AntidoteError } from "../core/errors.ts";
import type { Geometry } from "../data/images.ts";
import { openImages } from "../data/open.ts";
import type { Classifier } from "../models/classifier.ts";
import { usualPreprocessings } from "../models/preprocessing.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Choice } from "./command.ts";

/** What some attacks ask for beside the images. */
export const NEEDS = {
  surrogate: z
    .string()
    .optional()
    .describe("ONNX classifier on which adversarial triggers are found")
    .meta({ placeholder: "onnx" }),
  surrogatePreprocessing: z
    .enum(usualPreprocessings(3).map(({ name }) => name) as [string, ...string[]])
    .default("none")
    .describe("what the surrogate expects of an image in [0,1]"),
  photographs: z
    .string()
    .optional()
    .describe("folder of pictures to lay over images, with one folder per class")
    .meta({ placeholder: "path" }),
};

type Options = z.output<z.ZodObject<typeof NEEDS>>;

/** What a chosen method asks for. */
export function needsOf({ method, config }: Choice): readonly Need[] {
  const { needs } = method as { readonly needs?: (config: unknown) => readonly Need[] };
  return needs?.(config) ?? [];
}

/**
 * Opens what the chosen method needs, as far as options name it.
 * @throws the errors of `openModel` and `openImages`; `USAGE` for an option that the method has no use for
 */
export async function openNeeds(
  context: RunContext,
  choice: Choice,
  options: Options,
  geometry: Geometry,
): Promise<Pick<AttackInput, "surrogate" | "photographs">> {
  const needs = needsOf(choice);
  const { surrogate, photographs } = options;
  for (const [need, value] of Object.entries({ surrogate, photographs })) {
    if (value === undefined || needs.includes(need as Need)) continue;
    throw new AntidoteError("USAGE", `${choice.method.name} has no use for --${need}.`, {
      next: `Leave out --${need}.`,
    });
  }
  return {
    surrogate:
      surrogate === undefined ? undefined : await openSurrogate(context, surrogate, options),
    photographs:
      photographs === undefined
        ? undefined
        : await openImages(photographs, {
            ...geometry,
            emit: context.emit,
            signal: context.signal,
          }),
  };
}

async function openSurrogate(
  { device }: RunContext,
  path: string,
  { surrogatePreprocessing: wanted }: Options,
): Promise<Classifier> {
  const { classifier } = await openModel(device, path);
  const usual = usualPreprocessings(classifier.image.channels);
  const found = usual.find(({ name }) => name === wanted);
  if (found) return classifier.withPreprocessing(found);
  throw new AntidoteError("INVALID_CONFIG", `"${wanted}" is for colour images.`, {
    place: "--surrogate-preprocessing",
    next: `Choose one of ${usual.map(({ name }) => name).join(", ")}.`,
  });
}
