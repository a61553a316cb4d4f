import { FONT_SIZE, textWidth } from "../charts/plot.ts";

/** A place in a drawing, in pixels. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** A text that belongs to one of several points of a drawing, the best first. */
export interface Label {
  readonly spots: readonly Spot[];
  readonly text: string;
}

/** Where a label's text stands, relative to its point. */
export interface Place {
  readonly dx: number;
  readonly dy: number;
  readonly textAnchor: "start" | "middle" | "end";
}

export interface Placed extends Place {
  /** Position of the point that it stands beside. */
  readonly at: number;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Distance between a point and its text, in pixels. */
const GAP = 9;
/** Half of the space that a dot takes, in pixels. */
const DOT = 5;

/** Places beside a point, the best first. */
const PLACES: readonly Place[] = [
  { dx: GAP, dy: 0, textAnchor: "start" },
  { dx: -GAP, dy: 0, textAnchor: "end" },
  { dx: 0, dy: -GAP - 4, textAnchor: "middle" },
  { dx: 0, dy: GAP + 4, textAnchor: "middle" },
  { dx: GAP - 2, dy: -GAP - 2, textAnchor: "start" },
  { dx: GAP - 2, dy: GAP + 2, textAnchor: "start" },
  { dx: -GAP + 2, dy: -GAP - 2, textAnchor: "end" },
  { dx: -GAP + 2, dy: GAP + 2, textAnchor: "end" },
  { dx: GAP, dy: -2 * GAP - 4, textAnchor: "start" },
  { dx: GAP, dy: 2 * GAP + 4, textAnchor: "start" },
  { dx: -GAP, dy: -2 * GAP - 4, textAnchor: "end" },
  { dx: -GAP, dy: 2 * GAP + 4, textAnchor: "end" },
];

/**
 * Finds a place for every label in turn, off all dots and off the labels before it; null where there is none.
 * @param dots centres of what must stay visible
 * @param frame what labels must stay within
 */
export function placeLabels(
  labels: readonly Label[],
  dots: readonly Spot[],
  frame: Box,
): (Placed | null)[] {
  const taken: Box[] = dots.map(({ x, y }) => ({
    ...{ left: x - DOT, right: x + DOT, top: y - DOT, bottom: y + DOT },
  }));
  const isFree = (box: Box) =>
    box.left >= frame.left &&
    box.right <= frame.right &&
    box.top >= frame.top &&
    box.bottom <= frame.bottom &&
    !taken.some((other) => overlap(box, other));
  return labels.map(({ spots, text }) => {
    const tried = spots.flatMap((spot, at) =>
      PLACES.map((place) => ({ at, ...place, box: boxOf(text, spot, place) })),
    );
    const found = tried.find(({ box }) => isFree(box));
    if (!found) return null;
    const { box, ...placed } = found;
    taken.push(box);
    return placed;
  });
}

function boxOf(text: string, { x, y }: Spot, { dx, dy, textAnchor }: Place): Box {
  const width = 1.08 * textWidth(text);
  const start = x + dx - { start: 0, middle: width / 2, end: width }[textAnchor];
  const half = FONT_SIZE / 2 + 1;
  return { left: start, right: start + width, top: y + dy - half, bottom: y + dy + half };
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
