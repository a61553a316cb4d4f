import { Random } from "../dist/core/random.js";
import { float32, sizeOf, tensor } from "../dist/core/tensor.js";
import { additiveFamily } from "../dist/inversion/trigger-family.js";
import { Classifier } from "../dist/models/classifier.js";
import { resnet18 } from "../dist/models/resnet18.js";
import { crossEntropy, rowMean } from "../dist/train/losses.js";
import { adam, sgd } from "../dist/train/optimisers.js";
import { compileStep } from "../dist/train/step.js";
import { trainingStep } from "../dist/train/training-step.js";

const IMAGE = { channels: 3, height: 32, width: 32 };

/**
 * The two steps on a fresh ResNet-18, compiled, and what each has to compute.
 * @param {import("../dist/runtime/device.js").Device} device
 * @param {{width: number, batch: number}} size channels of the first stage, images per step
 */
export async function openSteps(device, { width, batch }) {
  const random = Random.fromSeed(0);
  const statistics = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  const options = { ...IMAGE, classes: 10, baseWidth: width, ...statistics };
  const classifier = await Classifier.fromGraph(resnet18(options, random), device);
  const shape = [batch, 3, 32, 32];
  const pixels = float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.uniform()),
  );
  const forward = forwardFlop(await classifier.at(batch));
  return {
    // The image needs no gradient: the first convolution has two of the three products.
    training: {
      flop: 3 * forward.all - forward.first,
      run: await training(device, classifier, batch, pixels),
    },
    inversion: { flop: 2 * forward.all, run: await inversion(device, classifier, batch, pixels) },
  };
}

/** As `antidote train` does it: live batch norm, SGD with momentum and weight decay. */
async function training(device, classifier, batch, images) {
  const optimiser = sgd({ momentum: 0.9, weightDecay: 5e-4 });
  const step = await compileStep(device, await trainingStep(classifier, batch, optimiser, 0));
  const labels = tensor(
    "int64",
    [batch],
    BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % 10)),
  );
  return () => step.run({ images, labels }, 0.01);
}

/** As trigger inversion does it: weights are constants, only the trigger is differentiated; Adam. */
async function inversion(device, classifier, batch, images) {
  const network = await classifier.at(batch);
  const family = additiveFamily();
  const step = await compileStep(device, {
    parameters: family.start(1, IMAGE, Random.fromSeed(0)),
    optimiser: adam({ beta1: 0.5, beta2: 0.9 }),
    build(b, at) {
      const x = b.input("images", "float32", images.shape); // [N,C,H,W]
      const target = b.input("target", "int64", [batch]);
      const blocks = b.reshape(x, [1, ...images.shape]); // one trigger for all: [1,N,C,H,W]
      const stamped = b.reshape(family.apply(b, at, blocks), images.shape);
      const { logits } = classifier.append(b, network, stamped, "model/");
      return { loss: rowMean(b, crossEntropy(b, logits, target)) };
    },
  });
  const target = tensor("int64", [batch], new BigInt64Array(batch));
  return () => step.run({ images, target }, 0.01);
}

/** Floating-point operations of all convolutions and of the first: two per multiplication. */
function forwardFlop({ nodes, values, constants }) {
  const flops = nodes
    .filter(({ op }) => op === "Conv")
    .map(({ inputs: [, weight], outputs: [y] }) => {
      const [, ...window] = constants.get(weight).shape; // [C/groups, …]
      return 2 * sizeOf(values.get(y).shape) * sizeOf(window);
    });
  return { all: flops.reduce((sum, flop) => sum + flop, 0), first: flops[0] };
}
