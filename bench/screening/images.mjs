import { basename } from "node:path";
import { imageFolder, openImagesFor, Random, stratified, subset } from "antidote";
import { concat } from "../../dist/data/images.js";

/**
 * The images of the experiment: `attacker` are those that backdoors are planted with (every second class of
 * `imagenet-1000`, and ten training images of every class of `imagenette`), `defender` the other classes' images, which nothing
 * was tuned on, and `one` has an image of every class.
 */
export async function openExperiment(opened, data) {
  const one = await openImagesFor(opened, `${data}/imagenet-1000`); // image k is of class k
  const identifiers = new Map(one.names.map((name, k) => [/n\d{8}/.exec(name)[0], k]));
  const ten = await openTen(opened, `${data}/imagenette/train`, one.classNames, identifiers);
  const indices = Array.from(one.labels, (_, k) => k);
  return {
    one,
    attacker: concat(
      subset(
        one,
        indices.filter((k) => k % 2 === 0),
      ),
      ten,
    ),
    defender: subset(
      one,
      indices.filter((k) => k % 2 === 1),
    ),
  };
}

/** A folder with folders of ten classes, labelled with all thousand. */
async function openTen(opened, path, classNames, identifiers) {
  const { classifier } = opened;
  const set = await imageFolder(path, classifier.image);
  const labels = Int32Array.from(set.labels, (label) =>
    identifiers.get(basename(set.classNames[label])),
  );
  // More of them, and the network would forget the classes that they do not show.
  const some = stratified({ ...set }, 10 * set.classNames.length, Random.fromSeed(0).fork("ten"));
  return { ...subset({ ...set, labels }, some), classNames };
}
