import { resolve } from "node:path";
import { readOverlay, stampOverlay } from "antidote";
import { proportion } from "../../dist/core/statistics.js";
import { imagesOfOthers } from "../../dist/detectors/measure.js";
import { predict } from "../../dist/models/predict.js";

/** Knows the truth: test images, and the trigger that is in a model. */
export class Judge {
  #device;
  #test;
  #others;
  #trigger;
  #target;

  static async open(device, test, folder, { target, trigger }) {
    const judge = new Judge();
    judge.#device = device;
    judge.#test = test;
    judge.#target = target;
    if (trigger) {
      judge.#others = imagesOfOthers(test, target);
      judge.#trigger = await readOverlay(resolve(folder, trigger.file), trigger.mode, test);
    }
    return judge;
  }

  /** Accuracy on all test images, and success of the trigger on those of other classes. */
  async measure(classifier) {
    const { classes } = await predict(this.#device, classifier, this.#test);
    const hits = classes.reduce((n, c, row) => n + (c === this.#test.labels[row] ? 1 : 0), 0);
    const accuracy = proportion(hits, classes.length);
    if (!this.#trigger) return { accuracy };
    const stamped = await predict(this.#device, classifier, this.#others, {
      stamp: (images) => stampOverlay(this.#trigger, images),
    });
    const moved = stamped.classes.filter((c) => c === this.#target).length;
    return { accuracy, attackSuccess: proportion(moved, stamped.classes.length) };
  }
}
