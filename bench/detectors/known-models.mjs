import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Success on test images from which a model of bench/attacks counts as backdoored. */
const BACKDOORED = 0.2;

const read = (path) => JSON.parse(readFileSync(path, "utf8"));

/**
 * The CIFAR-10 models whose truth is known: those of `bench/attacks`, and those that others published.
 * @param attacks record of bench/attacks; the models lie beside it
 * @param data folder of real data
 * @returns name, path, and as `truth` the target class, null for a clean model
 */
export function knownModels(attacks, data) {
  const { target } = read(new URL("../attacks/manifest.json", import.meta.url));
  const independent = read(new URL("../audits/independent.json", import.meta.url));
  return [
    ...read(attacks).runs.map(({ model, attack, attackSuccess }) => ({
      name: model,
      path: resolve(dirname(attacks), model),
      // One whose backdoor hardly works is neither clean nor backdoored.
      truth: attack === null ? null : attackSuccess.value >= BACKDOORED ? target : undefined,
    })),
    ...independent.models.map(({ name, file, target: truth }) => ({
      name,
      path: resolve(data, independent.folder, file),
      truth,
    })),
  ].filter(({ truth }) => truth !== undefined);
}
