/** The learning rate of every step; the first step is 0. */
export type Schedule = (step: number) => number;

/** The same rate throughout. */
export function constant(rate: number): Schedule {
  return () => rate;
}

/** From `peak` down to 0 along half a cosine over `total` steps: ½·peak·(1 + cos(πt/total)). */
export function cosine(peak: number, total: number): Schedule {
  return (step) => 0.5 * peak * (1 + Math.cos((Math.PI * Math.min(step, total)) / total));
}

/** Share of the steps after which `oneCycle` reaches its peak. */
const WARM_UP = 0.25;

/**
 * Linearly from peak/25 up to the peak at a quarter of the steps, then linearly down to peak/250 000:
 * PyTorch's `OneCycleLR(peak, total, pct_start=0.25, anneal_strategy="linear", cycle_momentum=False)`.
 */
export function oneCycle(peak: number, total: number): Schedule {
  const start = peak / 25;
  const end = start / 1e4;
  const top = Math.max(0, WARM_UP * total - 1);
  return (step) =>
    step < top
      ? start + ((peak - start) * step) / top
      : peak + (end - peak) * Math.min(1, (step - top) / Math.max(1, total - 1 - top));
}

/** Every schedule by its name in configurations, as a function of the highest rate and the steps. */
export const SCHEDULES = { constant, cosine, "one-cycle": oneCycle } as const;

export type ScheduleName = keyof typeof SCHEDULES;
