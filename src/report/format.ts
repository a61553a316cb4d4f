import type { Interval, Proportion } from "../core/statistics.ts";

/** "97.3%"; exact shares of 0 and 1 lose the digit that says nothing. */
export function percent(share: number): string {
  return share === 0 || share === 1 ? `${share * 100}%` : `${(share * 100).toFixed(1)}%`;
}

/** A probability without decimals, never rounded up to certainty: "95%", ">99%". */
export function confidence(probability: number): string {
  return probability >= 0.995 && probability < 1 ? ">99%" : `${Math.round(probability * 100)}%`;
}

/** A difference of shares: "2 points", "0.5 points". */
export function points(difference: number): string {
  return `${String(Number((difference * 100).toFixed(1))).replace("-", "\u2212")} points`;
}

/** "0.5 points (95 %: −1.2 to 2.2)" */
export function pointsInterval({
  value,
  low,
  high,
}: Interval & { readonly value: number }): string {
  return `${points(value)} (95 %: ${[low, high].map((end) => signed(100 * end)).join(" to ")})`;
}

function signed(value: number): string {
  return value.toFixed(1).replace("-", "\u2212");
}

/** "93.2 to 99.1%" */
export function percentInterval({ low, high }: Interval): string {
  return `${percent(low).slice(0, -1)} to ${percent(high)}`;
}

/** "97.3% (93.2 to 99.1%) of 150 images" */
export function sharePhrase(share: Proportion): string {
  const images = share.count === 1 ? "image" : "images";
  return `${percent(share.value)} (${percentInterval(share)}) of ${whole(share.count)} ${images}`;
}

/** A score with two digits, with a true minus sign. */
export function score(value: number): string {
  // −0.00 is 0.00
  const digits = value.toFixed(2).replace("-0.00", "0.00");
  return digits.replace("-", "−");
}

/** "0.91 to 0.98", or "measured once" */
export function scoreInterval(interval: Interval | null): string {
  return interval ? `${score(interval.low)} to ${score(interval.high)}` : "measured once";
}

/** "11 173 962", in groups of three that do not break. */
export function whole(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** "4 min 12 s" */
export function seconds(value: number): string {
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const total = Math.round(value);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${total % 60} s`;
}

/** "1.4 GB", decimal units. */
export function bytes(value: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
  return power === 0 ? `${value} bytes` : `${(value / 1000 ** power).toFixed(1)} ${units[power]}`;
}

/** "22 November 2026, 11:39 UTC" */
export function moment(iso: string): string {
  const date = new Date(iso);
  const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" }).format(date);
  return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
}

/** What a drop of accuracy is measured on, after "a drop of two points on …". */
export function viewsInWords(views: number): string {
  return views === 1
    ? "the same images"
    : `${views} views of each of these images, moved and mirrored at random`;
}
