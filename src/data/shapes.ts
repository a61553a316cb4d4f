/**
 * Signed distance from a point to the outline of a shape about as large as the unit disc, negative
 * inside; x to the right, y downwards. Distances are exact, except inside of unions and intersections
 * (heart, crescent), where they are bounds: good enough for antialiasing and contours.
 * Everything here uses only operations that IEEE 754 rounds exactly, so that every machine draws the
 * same.
 */
export type Outline = (x: number, y: number) => number;

/** The ten silhouettes of the procedural set, by class name, in label order. */
export const OUTLINES: Readonly<Record<string, Outline>> = {
  circle: (x, y) => length(x, y) - 0.88,
  triangle: polygon(0, -1, 0.98, 0.7, -0.98, 0.7),
  square: polygon(-0.78, -0.78, 0.78, -0.78, 0.78, 0.78, -0.78, 0.78),
  star: polygon(...starCorners(1.1, 0.5)),
  heart,
  crescent: (x, y) => Math.max(length(x, y) - 1, 0.78 - length(x - 0.52, y)),
  ring: (x, y) => Math.abs(length(x, y) - 0.75) - 0.25,
  cross: polygon(...crossCorners(1, 0.34)),
  arrow: polygon(-1, -0.3, 0, -0.3, 0, -0.85, 1.05, 0, 0, 0.85, 0, 0.3, -1, 0.3),
  bolt: polygon(0.25, -1.1, -0.75, 0.2, -0.1, 0.2, -0.3, 1.1, 0.75, -0.3, 0.1, -0.3),
};

function length(x: number, y: number): number {
  return Math.sqrt(x * x + y * y);
}

/** A square standing on a corner, with discs over its two upper sides. */
function heart(x: number, y: number): number {
  const half = 0.78; // half of the square's diagonal
  const below = y - 0.15;
  const square = (Math.abs(x) + Math.abs(below) - half) * Math.SQRT1_2;
  const disc = length(Math.abs(x) - half / 2, below + half / 2) - half * Math.SQRT1_2;
  return Math.min(square, disc);
}

/** Five points, one of them up; cos and sin of multiples of 36° as numbers. */
function starCorners(outer: number, inner: number): number[] {
  const [sin36, cos36, sin72, cos72] = [
    0.5877852522924731, 0.8090169943749475, 0.9510565162951535, 0.3090169943749474,
  ];
  const directions = [
    [0, -1],
    [sin36, -cos36],
    [sin72, -cos72],
    [sin72, cos72],
    [sin36, cos36],
    [0, 1],
    [-sin36, cos36],
    [-sin72, cos72],
    [-sin72, -cos72],
    [-sin36, -cos36],
  ] as const;
  return directions.flatMap(([x, y], i) => {
    const radius = i % 2 === 0 ? outer : inner;
    return [radius * x, radius * y];
  });
}

/** A plus sign with arms of half width `arm` that reach to `reach`. */
function crossCorners(reach: number, arm: number): number[] {
  return [
    [-arm, -reach, arm, -reach, arm, -arm],
    [reach, -arm, reach, arm, arm, arm],
    [arm, reach, -arm, reach, -arm, arm],
    [-reach, arm, -reach, -arm, -arm, -arm],
  ].flat();
}

/** A closed polygon with the corners (x0, y0), (x1, y1), …: distance to the nearest edge. */
function polygon(...corners: readonly number[]): Outline {
  // Per edge: where it starts, where it leads, its squared length.
  const edges = Float64Array.from(
    Array.from({ length: corners.length / 2 }, (_, i) => {
      const at = (k: number) => corners[(2 * i + k) % corners.length]!;
      const dx = at(2) - at(0);
      const dy = at(3) - at(1);
      return [at(0), at(1), dx, dy, dx * dx + dy * dy];
    }).flat(),
  );
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY; // squared
    let inside = false;
    for (let i = 0; i < edges.length; i += 5) {
      const dx = x - edges[i]!;
      const dy = y - edges[i + 1]!;
      const edgeX = edges[i + 2]!;
      const edgeY = edges[i + 3]!;
      const along = Math.max(0, Math.min(1, (dx * edgeX + dy * edgeY) / edges[i + 4]!));
      const offX = dx - along * edgeX;
      const offY = dy - along * edgeY;
      nearest = Math.min(nearest, offX * offX + offY * offY);
      // Even-odd rule: does the edge cross the ray that runs from the point to the right?
      if (dy < 0 !== dy < edgeY && dx < (dy / edgeY) * edgeX) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}
