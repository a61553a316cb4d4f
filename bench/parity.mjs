/**
 * Trains ResNet-18 on CIFAR-10 with the default recipe and records its accuracy beside that of PyTorch with
 * the same recipe. A run that was stopped continues; about an hour and a half on two cores.
 *
 *     ANTIDOTE_DATA=... node bench/parity.mjs --folder DIR --out results/parity.json
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { antidote } from "./program.mjs";
import { writeRecord } from "./record.mjs";

const RECIPE = ["--width", "32", "--epochs", "8", "--seed", "0"];
/** Test accuracy of two models that PyTorch trained with this recipe in bfloat16, one of them poisoned. */
const PYTORCH = [0.883, 0.886];

const { values: flags } = parseArgs({
  options: { folder: { type: "string" }, out: { type: "string" } },
});
const data = process.env.ANTIDOTE_DATA;
if (!flags.folder || !flags.out || !data) {
  process.stderr.write("ANTIDOTE_DATA=... node bench/parity.mjs --folder DIR --out RECORD\n");
  process.exit(4);
}
const cifar = join(data, "cifar10");
const images = ["--data", cifar, "--held-out", join(cifar, "test_batch.bin")];
const trained = antidote("train", ...images, ...RECIPE, "--out", flags.folder);
const { history, config, seed, versions, hardware } = trained;
const record = {
  command: `antidote train --data cifar10 --held-out cifar10/test_batch.bin ${RECIPE.join(" ")} --out DIR`,
  testAccuracy: history.at(-1).heldOutAccuracy,
  pytorch: PYTORCH,
  history,
  config,
  seed,
  versions,
  hardware,
};
writeRecord(flags.out, record);
