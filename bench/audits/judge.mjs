import { resolve } from "node:path";
import { readOverlay, stampOverlay } from "antidote";
import { proportion } from "../../dist/core/statistics.js";
import { imagesOfOthers } from "../../dist/detectors/measure.js";
import { predict } from "../../dist/models/predict.js";

/** Knows the truth: test images, and the trigger that is in a model. */
export class Judge {
  #device;
  #test;
  #planted;

  /** @param planted the trigger as a stamp and the class that it leads to, if there is one */
  constructor(device, test, planted) {
    this.#device = device;
    this.#test = test;
    this.#planted = planted && { ...planted, others: imagesOfOthers(test, planted.target) };
  }

  /** A judge of a model whose trigger is a picture in `folder`. */
  static async open(device, test, folder, { target, trigger }) {
    if (!trigger) return new Judge(device, test);
    const overlay = await readOverlay(resolve(folder, trigger.file), trigger.mode, test);
    return new Judge(device, test, { target, stamp: (images) => stampOverlay(overlay, images) });
  }

  /** Accuracy on all test images, and success of the trigger on those of other classes. */
  async measure(classifier) {
    const { classes } = await predict(this.#device, classifier, this.#test);
    const hits = classes.reduce((n, c, row) => n + (c === this.#test.labels[row] ? 1 : 0), 0);
    const accuracy = proportion(hits, classes.length);
    if (!this.#planted) return { accuracy };
    const { target, stamp, others } = this.#planted;
    const stamped = await predict(this.#device, classifier, others, { stamp });
    const moved = stamped.classes.filter((c) => c === target).length;
    return { accuracy, attackSuccess: proportion(moved, stamped.classes.length) };
  }
}
