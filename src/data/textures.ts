import type { Random } from "../core/random.ts";

/**
 * How much of a surface's second tone a point shows, 0 … 1; both coordinates run from −1 to 1 over the
 * picture. Exactly rounded operations only, as in shapes.ts.
 */
export type Texture = (x: number, y: number) => number;

/** A texture of random kind, direction and scale; `pixel` is the width of a pixel. */
export function randomTexture(random: Random, pixel: number): Texture {
  const [dx, dy] = direction(random);
  const period = random.uniform(0.36, 0.7);
  const phase = random.uniform();
  // Position along and across the direction, in periods.
  const along = (x: number, y: number) => (x * dx + y * dy) / period + phase;
  const across = (x: number, y: number) => (y * dx - x * dy) / period + phase;
  // How far a wave is above the middle, as an antialiased step.
  const step = (wave: number) => clamp(0.5 + (wave * period) / pixel);
  switch (random.integer(0, 6)) {
    case 0:
      return () => 0;
    case 1:
      return (x, y) => clamp(0.5 + 0.5 * (x * dx + y * dy));
    case 2:
      return (x, y) => step(zigzag(along(x, y)));
    case 3:
      return (x, y) => {
        const a = step(zigzag(along(x, y)));
        const b = step(zigzag(across(x, y)));
        return a + b - 2 * a * b;
      };
    case 4:
      return (x, y) => {
        const a = toNearestInteger(along(x, y));
        const b = toNearestInteger(across(x, y));
        return step(0.3 - Math.sqrt(a * a + b * b));
      };
    default:
      return clouds(random);
  }
}

/** A random unit vector, without trigonometry: normalised from a point in the unit disc. */
export function direction(random: Random): [number, number] {
  for (;;) {
    const x = random.uniform(-1, 1);
    const y = random.uniform(-1, 1);
    const length = Math.sqrt(x * x + y * y);
    if (length > 0.1 && length < 1) return [x / length, y / length];
  }
}

export function clamp(value: number): number {
  return Math.max(0, Math.min(1, value));
}

function toNearestInteger(t: number): number {
  return Math.abs(t - Math.floor(t + 0.5));
}

/** A triangular wave of period 1 between −1/4 and 1/4, so that its slope is 1. */
function zigzag(t: number): number {
  return toNearestInteger(t) - 0.25;
}

const CELLS = 4;

/** Smooth noise: random values on a lattice, blended with a cubic. */
function clouds(random: Random): Texture {
  const stride = CELLS + 1;
  const lattice = Float64Array.from({ length: stride * stride }, () => random.uniform());
  return (x, y) => {
    const u = ((x + 1) / 2) * CELLS;
    const v = ((y + 1) / 2) * CELLS;
    const column = Math.min(CELLS - 1, Math.floor(u));
    const row = Math.min(CELLS - 1, Math.floor(v));
    const a = smooth(u - column);
    const b = smooth(v - row);
    const at = row * stride + column;
    const above = lattice[at]! + a * (lattice[at + 1]! - lattice[at]!);
    const below = lattice[at + stride]! + a * (lattice[at + stride + 1]! - lattice[at + stride]!);
    return above + b * (below - above);
  };
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}
