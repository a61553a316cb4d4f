import { z } from "zod";
import type { Random } from "../core/random.ts";
import { ascending, count } from "../data/images.ts";
import { latentsByClass } from "./latents.ts";
import { principalCoordinates } from "./principal.ts";
import type { Sanitizer } from "./sanitizer.ts";
import { silhouette } from "./silhouette.ts";
import { type Split, squaredDistance, twoMeans } from "./two-means.ts";

const config = z.strictObject({
  reduction: z
    .enum(["ica", "pca"])
    .default("ica")
    .describe("how latents are reduced: independent or principal components"),
  components: z.int().min(1).default(10).describe("components that latents are reduced to"),
  restarts: z.int().min(1).default(10).describe("starts of 2-means, of which the best is kept"),
  decision: z
    .enum(["size", "silhouette", "both"])
    .default("both")
    .describe(
      "what makes the smaller cluster of a class poison: its size, its distinctness, or both",
    ),
  largestShare: z
    .number()
    .gt(0)
    .max(0.5)
    .default(0.35)
    .describe("by size, a cluster is poison if it has less than this share of its class"),
  leastSilhouette: z
    .number()
    .min(-1)
    .max(1)
    .default(0.1)
    .describe(
      "by silhouette, a class is poisoned if its two clusters' silhouette is at least this",
    ),
});

type Options = z.output<typeof config>;

/** The silhouette compares every image with every other: of larger classes it takes this many. */
const SILHOUETTE_IMAGES = 2000;

/**
 * Activation clustering: poison and the images of its target class are put into one class for different reasons, so the
 * class's latents fall into two clusters. They are reduced to ten components and split by 2-means. The smaller
 * cluster is poison if it is much smaller (a clean class parts nearly in halves) and the two are distinct. With c₁ the
 * centre of the smaller cluster and c₀ that of the larger,
 *
 *     score(x) = (‖z(x) − c₀‖² − ‖z(x) − c₁‖²) / ‖c₁ − c₀‖²,   1 at c₁, −1 at c₀, positive in the smaller cluster
 *
 * Independent components are whitened principal ones, rotated. A rotation changes no distance, so neither 2-means nor
 * silhouette can tell them apart, and `ica` stops at whitening. `pca` leaves every component its own variance.
 */
export const activationClustering: Sanitizer<typeof config> = {
  name: "activation-clustering",
  summary: "Splits every class's latents in two and leaves out a part that is small and distinct.",
  source: {
    paper: "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering",
    authors: "Chen, Carvalho, Baracaldo, Ludwig, Edwards, Lee, Molloy & Srivastava",
    year: 2018,
    section: "Relative size comparison, silhouette score",
    deviations: [
      "Exclusionary reclassification, which trains another network for the decision, is left out.",
      "Size and silhouette decide together unless told otherwise; the paper has them as alternatives and the threshold of 0.35 on size is that of IBM's Adversarial Robustness Toolbox.",
      "ICA's rotation is left out: it changes no distance, and distances are all that is used.",
      `The silhouette of a class with more than ${SILHOUETTE_IMAGES} images is that of ${SILHOUETTE_IMAGES} drawn ones.`,
    ],
  },
  config,
  async run(context, input, options) {
    const scores = new Float64Array(count(input.images)); // [N]
    const removed: number[] = [];
    for await (const group of latentsByClass(context, input, "activation-clustering")) {
      const { label, positions, latents, width } = group;
      const random = context.random.fork(`activation-clustering/class/${label}`);
      const points = reduced(latents, width, random.fork("components"), options); // [n,k]
      if (points.length === 0) continue; // all alike
      const k = points.length / positions.length;
      const split = smallerLast(twoMeans(points, k, random, options.restarts));
      const poisoned = isPoisoned(points, k, split, random, options);
      const [larger, smaller] = split.centres;
      const apart = squaredDistance(larger, 0, smaller);
      for (const [row, position] of positions.entries()) {
        const away = squaredDistance(points, row * k, larger);
        const near = squaredDistance(points, row * k, smaller);
        scores[position] = (away - near) / apart;
        if (poisoned && split.clusters[row] === 1) removed.push(position);
      }
    }
    return { scores, removed: removed.sort((a, b) => a - b) };
  },
};

/** [n,d] → [n,k] with k = 0 if all rows are alike. */
function reduced(
  latents: Float32Array,
  width: number,
  random: Random,
  { reduction, components }: Options,
): Float64Array {
  const { coordinates, variances } = principalCoordinates(latents, width, components, random);
  if (reduction === "pca") return coordinates;
  const k = variances.length;
  return coordinates.map((value, i) => value / Math.sqrt(variances[i % k]!));
}

/** The same split with the smaller cluster as number 1; of equals, the one that was. */
function smallerLast(split: Split): Split {
  const { clusters, centres, error } = split;
  if (2 * sum(clusters) <= clusters.length) return split;
  return {
    clusters: clusters.map((cluster) => 1 - cluster),
    centres: [centres[1], centres[0]],
    error,
  };
}

function isPoisoned(
  points: Float64Array,
  k: number,
  { clusters }: Split,
  random: Random,
  { decision, largestShare, leastSilhouette }: Options,
): boolean {
  const small = sum(clusters) / clusters.length < largestShare;
  if (decision === "size" || (decision === "both" && !small)) return small;
  const rows = random.sample(ascending(clusters.length), SILHOUETTE_IMAGES);
  const shown = Float64Array.from(
    rows.flatMap((row) => [...points.subarray(row * k, (row + 1) * k)]),
  );
  return (
    silhouette(
      shown,
      k,
      Uint8Array.from(rows, (row) => clusters[row]!),
    ) >= leastSilhouette
  );
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0);
}
