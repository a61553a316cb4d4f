import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { exportModel, loadClassifier, Random, writeOnnxFile } from "antidote";
import { silent } from "../../dist/core/progress.js";
import { usualPreprocessing } from "../../dist/models/preprocessing.js";
import { TRIGGERS } from "./backdoors.mjs";
import { openExperiment } from "./images.mjs";
import { PLANTING, plant } from "./plant.mjs";

export const CLASSES = 1000;
/** Classes of the full search that a screened one is compared with. */
export const TEN = 10;
const TARGETS = 2;

export const upTo = (n) => Array.from({ length: n }, (_, i) => i);

/** The network where none is given. */
const SQUEEZENET = "models/imagenet_squeezenet1_1.onnx";

/**
 * A network of ImageNet's classes as it is, and with every trigger planted for every target.
 * @param network its file; SqueezeNet 1.1 of the real data where none is given
 * @param preprocessing what it expects, by a usual name
 * @param folder of the planted models; what it holds is not planted again
 * @param only names with commas between, or nothing for all: clean, badnets-T, blended-T
 * @returns the network's name and preprocessing, the models, an image of every class, and what opens a model, planted if it has to be
 */
export async function openModels(device, data, { network, preprocessing, folder, only }) {
  const root = Random.fromSeed(0);
  const original = network ?? `${data}/${SQUEEZENET}`;
  const known = basename(original, ".onnx");
  const expected = usualPreprocessing(preprocessing, 3, "--preprocessing");
  const opened = await loadClassifier(original, { device });
  const { one: trusted, attacker, defender } = await openExperiment(opened, data);
  const targets = root.fork("screening/targets").sample(upTo(CLASSES), TARGETS);
  const planted = targets.flatMap((target) =>
    Object.keys(TRIGGERS).map((trigger) => {
      const name = `${trigger}-${target}`;
      return { name, file: `${folder}/${known}/${name}.onnx`, trigger, target };
    }),
  );
  const models = [{ name: "clean", file: original, trigger: null, target: null }, ...planted];

  /** Plants what is not there yet; says what planting did. */
  async function factsOf({ file, trigger, target }) {
    if (trigger === null) return null;
    const facts = file.replace(/onnx$/, "json");
    if (!existsSync(file)) {
      await mkdir(dirname(file), { recursive: true });
      const start = performance.now();
      const random = root.fork(`plant/${trigger}/${target}`);
      const model = opened.classifier.withPreprocessing(expected);
      const images = { model, attacker, defender };
      const overlay = TRIGGERS[trigger](opened.classifier.image);
      const context = { device, random, emit: silent };
      const { model: made, ...said } = await plant(context, images, overlay, target);
      await writeOnnxFile(file, exportModel(opened.file, made.changes, {}));
      const seconds = (performance.now() - start) / 1000;
      writeFileSync(facts, JSON.stringify({ ...said, recipe: PLANTING, seconds }));
    }
    return JSON.parse(readFileSync(facts, "utf8"));
  }

  return {
    network: known,
    preprocessing: expected,
    models: models.filter(({ name }) => !only || only.split(",").includes(name)),
    trusted,
    async open(one) {
      const facts = await factsOf(one);
      const { file, classifier } = await loadClassifier(one.file, { device });
      return { facts, file, model: classifier.withPreprocessing(expected) };
    },
  };
}
