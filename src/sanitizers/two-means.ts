import type { Random } from "../core/random.ts";

/** Points [n,k] in two clusters. */
export interface Split {
  /** Cluster of every point, 0 or 1, [n]. */
  readonly clusters: Uint8Array;
  /** Mean of every cluster, [k] each. */
  readonly centres: readonly [Float64Array, Float64Array];
  /** Sum over all points of the squared distance to their centre. */
  readonly error: number;
}

const ITERATIONS = 300;

/**
 * 2-means (Lloyd 1982) from starts drawn as in k-means++ (Arthur & Vassilvitskii 2007): the second centre is a point with
 * probability ∝ its squared distance to the first. The split with the least error is kept, the first of equals.
 * @param points [n,k] row after row, n ≥ 1
 */
export function twoMeans(
  points: Float64Array,
  width: number,
  random: Random,
  restarts: number,
): Split {
  let best = converged(points, width, seeded(points, width, random));
  for (let restart = 1; restart < restarts; restart++) {
    const other = converged(points, width, seeded(points, width, random));
    if (other.error < best.error) best = other;
  }
  return best;
}

function seeded(points: Float64Array, width: number, random: Random): Split["centres"] {
  const height = points.length / width;
  const point = (at: number) => points.slice(at * width, (at + 1) * width);
  const first = point(random.integer(0, height));
  const distances = Array.from({ length: height }, (_, row) =>
    squaredDistance(points, row * width, first),
  );
  return [first, point(random.weighted(distances))];
}

function converged(points: Float64Array, width: number, start: Split["centres"]): Split {
  let centres = start;
  let { clusters, error, moved } = assigned(points, width, centres);
  for (let iteration = 0; moved && iteration < ITERATIONS; iteration++) {
    centres = means(points, width, clusters, centres);
    ({ clusters, error, moved } = assigned(points, width, centres, clusters));
  }
  return { clusters, centres, error };
}

function assigned(
  points: Float64Array,
  width: number,
  [zero, one]: Split["centres"],
  before?: Uint8Array,
) {
  const clusters = new Uint8Array(points.length / width);
  let error = 0;
  for (let row = 0; row < clusters.length; row++) {
    const [a, b] = [zero, one].map((centre) => squaredDistance(points, row * width, centre)) as [
      number,
      number,
    ];
    clusters[row] = b < a ? 1 : 0;
    error += Math.min(a, b);
  }
  const moved = !before || clusters.some((cluster, row) => cluster !== before[row]);
  return { clusters, error, moved };
}

/** The means of both clusters; an empty one keeps its centre. */
function means(
  points: Float64Array,
  width: number,
  clusters: Uint8Array,
  before: Split["centres"],
): Split["centres"] {
  const sums = [new Float64Array(width), new Float64Array(width)] as const;
  const sizes = [0, 0];
  for (const [row, cluster] of clusters.entries()) {
    sizes[cluster]!++;
    for (let i = 0; i < width; i++) sums[cluster]![i]! += points[row * width + i]!;
  }
  const mean = (cluster: 0 | 1) =>
    sizes[cluster] === 0 ? before[cluster] : sums[cluster].map((sum) => sum / sizes[cluster]!);
  return [mean(0), mean(1)];
}

/** From the row of `points` that begins at `offset` to a point, both [k]. */
export function squaredDistance(points: Float64Array, offset: number, to: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < to.length; i++) sum += (points[offset + i]! - to[i]!) ** 2;
  return sum;
}
