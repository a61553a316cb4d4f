import { squaredDistance } from "./two-means.ts";

/**
 * How well two clusters fit (Rousseeuw 1987): the mean over all points of (b − a)/max(a, b), with a the mean distance to
 * the other points of the own cluster and b that to the points of the other one; 0 for a point alone in its cluster.
 * @param points [n,k] row after row
 * @param clusters 0 or 1, [n]
 * @returns −1 … 1; 0 if all are in one cluster
 */
export function silhouette(points: Float64Array, width: number, clusters: Uint8Array): number {
  const height = clusters.length;
  const sizes = [0, 0];
  for (const cluster of clusters) sizes[cluster]!++;
  if (sizes.includes(0)) return 0;
  let sum = 0;
  for (let row = 0; row < height; row++) {
    const own = clusters[row]!;
    if (sizes[own] === 1) continue;
    const point = points.subarray(row * width, (row + 1) * width);
    const distances = [0, 0];
    for (let other = 0; other < height; other++) {
      distances[clusters[other]!]! += Math.sqrt(squaredDistance(points, other * width, point));
    }
    const a = distances[own]! / (sizes[own]! - 1);
    const b = distances[1 - own]! / sizes[1 - own]!;
    if (a !== b) sum += (b - a) / Math.max(a, b);
  }
  return sum / height;
}
