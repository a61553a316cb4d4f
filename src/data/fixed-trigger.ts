import type { FloatTensor } from "../core/tensor.ts";
import { type Overlay, overlayPng, stampOverlay, strengthenedOverlay } from "./overlay.ts";
import { stampWarp, strengthenedWarp, type Warp, warpPng } from "./warp.ts";

/** A trigger that treats every image alike. */
export type FixedTrigger = Overlay | Warp;

/**
 * The images [B,C,H,W] in [0,1] with the trigger on; the argument stays as it is.
 * @param rows the rows to stamp; by default all
 */
export function stampTrigger(
  trigger: FixedTrigger,
  images: FloatTensor,
  rows: Iterable<number> = Array(images.shape[0]!).keys(),
): FloatTensor {
  return trigger.kind === "warp"
    ? stampWarp(trigger, images, rows)
    : stampOverlay(trigger, images, rows);
}

/**
 * The same trigger, shown more strongly: opacity, added values or displacement times `factor`, opacity at most 1.
 * @param factor at least 1
 */
export function strengthened(trigger: FixedTrigger, factor: number): FixedTrigger {
  return trigger.kind === "warp"
    ? strengthenedWarp(trigger, factor)
    : strengthenedOverlay(trigger, factor);
}

/** The trigger as a PNG: an overlay as `overlayPng` draws it, a warp as a grid that it bends. */
export function triggerPng(trigger: FixedTrigger): Promise<Uint8Array> {
  return trigger.kind === "warp" ? warpPng(trigger) : overlayPng(trigger);
}
