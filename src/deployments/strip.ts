import { z } from "zod";
import { AntidoteError } from "../core/errors.ts";
import type { Random } from "../core/random.ts";
import { count, subset } from "../data/images.ts";
import { compilePredictor, type Predictor } from "../models/predict.ts";
import type { RunContext } from "../runtime/context.ts";
import { boundary } from "./boundary.ts";
import { type Deployment, type DeploymentInput, REFUSED } from "./deployment.ts";
import { BATCH, predictSuperimposed, type Superposition } from "./superimposed.ts";

const config = z.strictObject({
  copies: z.int().min(1).default(100).describe("N, trusted images that are laid over each input"),
  mixing: z
    .enum(["sum", "mean"])
    .default("sum")
    .describe("how images are laid over each other: added up to at most 1, or averaged"),
  falseRejection: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.01)
    .describe("share of harmless images that may be refused"),
  boundary: z
    .enum(["normal", "empirical"])
    .default("normal")
    .describe(
      "where the boundary lies: at that quantile of a normal distribution fitted to trusted images, or of these themselves",
    ),
  images: z
    .int()
    .min(2)
    .default(2000)
    .describe("trusted images that the boundary is set on, at most"),
});

type Options = z.output<typeof config>;

/**
 * STRIP: a network that sees two images in one is unsure which of them to name, unless a trigger tells it what to say. Every
 * input is overlaid with N trusted images, drawn anew, and refused if the mean entropy of the predictions is below what
 * all but 1 % of trusted images have. What is drawn for an input depends on its position in its set.
 *
 * Images are added at full weight, as in the released code, and cut off at 1, as byte images are. Averaging finds patches
 * more often, but a faint trigger of half its strength hardly ever (docs/defences.md has figures).
 */
export const strip: Deployment<typeof config> = {
  name: "strip",
  summary: "Refuses inputs whose class other images laid over them do not change.",
  source: {
    paper: "STRIP: A Defence Against Trojan Attacks on Deep Neural Networks",
    authors: "Gao, Xu, Wang, Chen, Ranasinghe & Nepal",
    year: 2019,
    section: "Algorithm 1",
    deviations: [
      "Sums are cut off at 1; the released code adds floating-point images without a bound.",
      "The boundary is set on the trusted images that are also laid over inputs, none over itself; the released code keeps the two apart.",
    ],
  },
  config,
  async run(context, input, options) {
    if (count(input.trusted) < 2) {
      throw new AntidoteError("TOO_FEW_IMAGES", "STRIP lays trusted images over one another.", {
        place: "trusted",
        next: "Give at least two trusted images; a boundary for 1 % takes hundreds.",
      });
    }
    const predictor = await compilePredictor(context.device, input.model, BATCH);
    try {
      const limit = await boundaryOnTrusted(context, predictor, input, options);
      const random = context.random.fork("strip/inputs");
      const total = count(input.trusted);
      const over = superposition(input, options, (position) =>
        integers(random.fork(`${position}`), total, options.copies),
      );
      return {
        async predict(images, predictOptions) {
          const found = await predictSuperimposed(predictor, images, over, predictOptions);
          const { classes, entropies } = found;
          return classes.map((answer, i) => (entropies[i]! < limit ? REFUSED : answer));
        },
        release: () => predictor.release(),
      };
    } catch (error) {
      await predictor.release();
      throw error;
    }
  },
};

/** Measures trusted images as inputs will be, each overlaid with the others. */
async function boundaryOnTrusted(
  { random, signal, emit }: RunContext,
  predictor: Predictor,
  input: DeploymentInput,
  options: Options,
): Promise<number> {
  const stream = random.fork("strip/boundary");
  const total = count(input.trusted);
  const chosen = stream.sample([...input.trusted.labels.keys()], options.images);
  const over = superposition(input, options, (position) =>
    integers(stream.fork(`${position}`), total - 1, options.copies).map((other) =>
      other < chosen[position]! ? other : other + 1,
    ),
  );
  const steps = Math.ceil((chosen.length * (options.copies + 1)) / BATCH);
  let done = 0;
  const progress = () => emit({ kind: "step", stage: "strip", done: ++done, total: steps });
  const { entropies } = await predictSuperimposed(predictor, subset(input.trusted, chosen), over, {
    ...{ signal, progress },
  });
  const limit = boundary(entropies, options.falseRejection, options.boundary);
  if (limit > 0) return limit;
  emit({
    ...{ kind: "warning", stage: "strip" },
    message: `The boundary is ${limit.toFixed(3)} bits, so nothing will be refused: the model is sure of trusted images whatever lies over them.`,
  });
  return limit;
}

function superposition(
  { trusted }: DeploymentInput,
  { copies, mixing }: Options,
  drawn: Superposition["drawn"],
): Superposition {
  return { trusted, copies, mixing, drawn };
}

/** `count` integers below `limit`, drawn with replacement. */
function integers(random: Random, limit: number, count: number): number[] {
  return Array.from({ length: count }, () => random.integer(0, limit));
}
