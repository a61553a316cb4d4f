import type { Attack, AttackInput, Trigger } from "../attacks/attack.ts";
import { stampImages } from "../attacks/poison.ts";
import { ascending, count, type ImageSet, imageAt, imageLength } from "../data/images.ts";
import { encodePng } from "../data/png.ts";
import type { RunContext } from "../runtime/context.ts";
import type { GalleryRecord } from "./gallery-record.ts";
import type { Configured } from "./options.ts";

type Entry = GalleryRecord["attacks"][number];

/** What an attack does to images, in numbers and pictures. */
export interface Shown extends Pick<Entry, "training" | "test" | "amplified"> {
  /** For every image shown: PNG files of it clean, marked for training and for a test, and what changed. */
  readonly rows: readonly Readonly<Record<Column, Uint8Array>>[];
}

export const COLUMNS = ["clean", "training", "test", "difference"] as const;
export type Column = (typeof COLUMNS)[number];

/**
 * Marks images as training and as test images and measures the change.
 * @param images at least `shown` of them; all are measured
 * @throws the errors of the attack
 */
export async function showAttack(
  context: RunContext,
  { method, config }: Configured<Attack>,
  images: ImageSet,
  input: AttackInput,
  shown: number,
): Promise<Shown> {
  const trigger: Trigger = await method.run(context, input, config);
  try {
    const all = ascending(count(images));
    const training = await stampImages(images, all, trigger.stampTraining, context);
    const test = await stampImages(images, all, trigger.stampTest, context);
    const change = { training: changeOf(images, training), test: changeOf(images, test) };
    const amplified = amplification(change.test.largest);
    const rows = all.slice(0, shown).map(async (row) => {
      const png = (set: ImageSet) => encodePng(imageAt(set, row), images);
      const difference = amplifiedDifference(imageAt(images, row), imageAt(test, row), amplified);
      return {
        clean: await png(images),
        training: await png(training),
        test: await png(test),
        difference: await encodePng(difference, images),
      };
    });
    return { ...change, amplified, rows: await Promise.all(rows) };
  } finally {
    await trigger.release?.();
  }
}

/** How much images differ from what they were. Both sets hold bytes; results are in units of [0,1]. */
export function changeOf(before: ImageSet, after: ImageSet): Entry["test"] {
  const length = imageLength(before);
  let largest = 0;
  let changed = 0;
  let psnr = 0;
  let marked = 0;
  for (let row = 0; row < count(before); row++) {
    const [a, b] = [imageAt(before, row), imageAt(after, row)];
    let squares = 0;
    for (let i = 0; i < length; i++) {
      const apart = Math.abs(a[i]! - b[i]!) / 255;
      if (apart === 0) continue;
      changed++;
      squares += apart * apart;
      largest = Math.max(largest, apart);
    }
    if (squares === 0) continue;
    psnr += -10 * Math.log10(squares / length); // 10·log₁₀(1²/MSE)
    marked++;
  }
  return {
    psnr: marked === 0 ? null : psnr / marked,
    largest,
    changed: changed / (length * count(before)),
  };
}

const FACTORS = [50, 20, 10, 5, 2, 1];

/** The largest round factor at which no difference is clipped. */
function amplification(largest: number): number {
  return FACTORS.find((factor) => factor * largest <= 1) ?? 1;
}

function amplifiedDifference(a: Uint8Array, b: Uint8Array, factor: number): Uint8Array {
  return a.map((value, i) => Math.min(255, factor * Math.abs(value - b[i]!)));
}
