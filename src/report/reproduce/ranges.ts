import type { Axis, Chart, Point } from "../../experiments/reproduce/artefact.ts";

/** What an axis shows, and where its values lie. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** Where a value lies between the two ends, in [0,1]. */
  at(value: number): number;
}

/** How much room there is beyond the outermost values, as a share of theirs. */
const ROOM = 0.08;
/** Shares that differ by less than this are looked at closely; others are shown from 0 to 100 %. */
const CLOSE = 0.3;

export interface Ranges {
  readonly x: Range;
  readonly y: Range;
}

/** The ranges of a chart, from all its points; of an empty one, some range. */
export function rangesOf({ x, y, series }: Chart): Ranges {
  const points = series.flatMap((one) => one.points);
  const bars = series.some(({ mark }) => mark === "bars");
  return {
    x: rangeOf(
      x,
      points.flatMap((point) => [point.x, point.xLow ?? point.x, point.xHigh ?? point.x]),
    ),
    y: rangeOf(y, [...points.flatMap(heights), ...(bars ? [0] : [])]),
  };
}

function heights({ y, low, high }: Point): number[] {
  return [y, low ?? y, high ?? y];
}

function rangeOf(
  { scale, share, limits = share && [0, 1] }: Axis,
  values: readonly number[],
): Range {
  if (scale === "log") {
    const positive = values.filter((value) => value > 0);
    const [low, high] = positive.length > 0 ? extent(positive) : [1, 100];
    const room = 10 ** Math.max(0.08, ROOM * Math.log10(high / low));
    return logarithmic(low / room, high * room);
  }
  if (values.length === 0) return linear(0, 1);
  const [low, high] = extent(values);
  if (share && high - low >= CLOSE) return linear(0, 1);
  const room = high > low ? ROOM * (high - low) : share ? 0.01 : 0.5;
  const step = roundStep((high - low + 2 * room) / 4);
  const start = Math.floor((low - room) / step) * step;
  const end = Math.ceil((high + room) / step) * step;
  if (limits) return linear(Math.max(limits[0], start), Math.min(limits[1], end));
  // Bars begin at zero.
  return linear(low === 0 ? 0 : start, high === 0 ? 0 : end);
}

function extent(values: readonly number[]): [low: number, high: number] {
  return [Math.min(...values), Math.max(...values)];
}

/** The power of ten, or its double or fivefold, that is closest from above. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5].find((factor) => factor * power >= step) ?? 10);
}

function linear(from: number, to: number): Range {
  return { from, to, at: (value) => (value - from) / (to - from) };
}

function logarithmic(from: number, to: number): Range {
  const decades = Math.log(to / from);
  return { from, to, at: (value) => Math.log(value / from) / decades };
}
