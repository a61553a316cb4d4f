import { describe, expect, test } from "vitest";
import { float32 } from "../../src/core/tensor.ts";
import type { Geometry } from "../../src/data/images.ts";
import { blend, type Overlay } from "../../src/data/overlay.ts";
import type { Warp } from "../../src/data/warp.ts";
import { searchPlan } from "../../src/inversion/search-plan.ts";
import { smallest } from "../../src/inversion/size-control.ts";
import { FAMILY_NAMES } from "../../src/inversion/trigger-family.ts";

const EFFORT = { steps: 1, images: 1, classesPerStep: 1 };
const CIFAR = { channels: 3, height: 32, width: 32 };
const IMAGENET = { channels: 3, height: 224, width: 224 };

/** Gray over the whole image at 30 % opacity. */
function veil({ channels, height, width }: Geometry): Overlay {
  const filled = (shape: number[], value: number) =>
    float32(shape, new Float32Array(shape.reduce((a, b) => a * b)).fill(value));
  return blend(filled([channels, height, width], 0.5), filled([height, width], 0.3));
}

/** A wave that moves pixels by up to a tenth of the side. */
function bend({ height, width }: Geometry): Warp {
  const data = Float32Array.from(
    { length: 2 * height * width },
    (_, at) => (height / 10) * Math.sin((Math.PI * (at % width)) / width),
  );
  return { kind: "warp", field: float32([2, height, width], data) };
}

describe.each(FAMILY_NAMES)("a search for %s triggers", (name) => {
  test("begins with a penalty that weighs the same share of an image alike at every size", () => {
    const first = (geometry: Geometry) => {
      const { family, control } = searchPlan(name, geometry, EFFORT, (pace) => smallest(0.9, pace));
      return control!.weight * family.sizeOf(name === "warped" ? bend(geometry) : veil(geometry));
    };
    expect(first(IMAGENET)).toBeCloseTo(first(CIFAR), 4);
  });
});
