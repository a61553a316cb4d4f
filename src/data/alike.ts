import { AntidoteError } from "../core/errors.ts";
import { abridged } from "./classes.ts";
import { geometryInWords, type ImageSet } from "./images.ts";

/**
 * Whether a model that is trained on some images can be judged by others.
 * @param place of the others
 * @throws `CLASSES_MISMATCH` unless they have the same classes; `DATA_INVALID` unless they have the same size
 */
export function assertAlike(train: ImageSet, test: ImageSet, place: string): void {
  const names = ({ classNames }: ImageSet) => classNames.join("\n").toLowerCase();
  if (names(train) !== names(test)) {
    throw new AntidoteError(
      "CLASSES_MISMATCH",
      `Training and test images have other classes: ${abridged(train.classNames)}; ${abridged(test.classNames)}.`,
      { place, next: "Give test images of the same classes, under the same names." },
    );
  }
  const [shape, other] = [train, test].map(geometryInWords);
  if (shape !== other) {
    throw new AntidoteError(
      "DATA_INVALID",
      `Training images are ${shape} (colours, height, width), test images ${other}.`,
      { place, next: "Give test images of the same size." },
    );
  }
}
