import { z } from "zod";

/*
 * Pieces that every JSON document of Antidote shares. All objects are strict: a field that is not
 * described here is an error, so that a document and its description cannot drift apart.
 */

/** A document as its readers get it: nothing in it can be changed. */
export type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;

export const share = z.number().min(0).max(1);
export const natural = z.int().min(0);
export const text = z.string();

export const interval = z
  .strictObject({
    low: z.number().describe("Lower end of the 95 % interval."),
    high: z.number().describe("Upper end of the 95 % interval."),
  })
  .refine(({ low, high }) => low <= high, "low must not exceed high");

/** The document's form of `Proportion` in core/statistics.ts. */
export const proportion = z
  .strictObject({
    value: share.describe("The share that was measured, in [0,1]."),
    low: share.describe("Lower end of its 95 % interval (Wilson score)."),
    high: share.describe("Upper end of its 95 % interval (Wilson score)."),
    count: z.int().min(1).describe("Number of images that the share is taken of."),
  })
  .refine(({ value, low, high }) => low <= value && value <= high, "value must lie in [low, high]");

/** The document's form of `PairedDrop` in core/statistics.ts. */
export const drop = z
  .strictObject({
    value: z.number().min(-1).max(1).describe("By how much the share fell; negative if it rose."),
    low: z.number().describe("Lower end of its 95 % interval, paired by image."),
    high: z.number().describe("Upper end of its 95 % interval, paired by image."),
  })
  .refine(({ value, low, high }) => low <= value && value <= high, "value must lie in [low, high]");

export const classReference = z.strictObject({
  index: natural.describe("Position of the class among the model's logits, from 0."),
  name: text.describe("Name of the class, as the labels give it."),
});
export type ClassReference = Frozen<z.infer<typeof classReference>>;

/** What a run was made with. */
export const versions = z.strictObject({
  antidote: text.describe("Version of Antidote."),
  build: text
    .optional()
    .describe(
      "Digest of its code, which tells builds of one version apart; absent in older documents.",
    ),
  onnxruntime: text.describe("Version of ONNX Runtime, which executes every computation."),
  node: text.describe("Version of Node.js."),
});

/** What a run was made on. */
export const hardware = z.strictObject({
  cpu: text.describe("Processor, as the operating system names it."),
  cores: z.int().min(1).describe("Logical processor cores of the machine."),
  platform: text.describe('Operating system and architecture, e.g. "linux-x64".'),
  device: z.enum(["cpu", "webgpu"]).describe("Where ONNX Runtime executed the computations."),
  threads: z.int().min(1).describe("Threads that it was given."),
});

const preprocessingFields = {
  range: z
    .enum(["0-1", "0-255"])
    .describe('Scale of the pixels before normalisation; "0-255" multiplies by 255.'),
  channels: z.enum(["rgb", "bgr"]).describe("Channel order that the model expects."),
  mean: z
    .array(z.number())
    .describe("Subtracted per channel (R, G, B, or one value for grey), in units of [0,1]."),
  std: z.array(z.number().positive()).describe("Divided by, per channel, in units of [0,1]."),
};

export const preprocessing = z.strictObject({
  ...preprocessingFields,
  name: text
    .nullable()
    .describe(
      'Name of the usual preprocessing that this is, e.g. "imagenet", with the file that states it or that file alone; null if given freely.',
    ),
  chosenBy: z
    .enum(["flags", "accuracy"])
    .describe("Given by the user, or chosen for the best accuracy on the trusted images."),
  candidates: z
    .array(
      z.strictObject({
        name: text.describe("Name of the candidate."),
        ...preprocessingFields,
        accuracy: proportion.describe("Accuracy of the model on trusted images prepared so."),
      }),
    )
    .describe("Every preprocessing that was tried, best first; empty if the user gave one."),
});

/** The images a run was given. */
export const data = z.strictObject({
  kind: z
    .enum(["folder", "cifar10", "idx", "procedural", "memory"])
    .describe("Where the images came from; memory: handed over by a program."),
  path: text.nullable().describe("Path as the user gave it; null if there is none."),
  images: natural.describe("Number of images."),
  perClass: z.array(natural).describe("Number of images of every class, by class index."),
  classOrder: text.describe("How labels were matched to the model's class indices, in words."),
  sizing: text
    .nullable()
    .describe("How pictures were brought to the model's size, in words; null if they had it."),
  uses: z
    .array(
      z.strictObject({
        purpose: text.describe('What these images were used for, e.g. "tune the repair".'),
        images: natural.describe("How many."),
      }),
    )
    .describe("How the images were divided; cross-fitting uses an image for several purposes."),
});

/** What the tool sees in a model file. */
export const model = z.strictObject({
  file: text.describe("Name of the file, without its folder."),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("SHA-256 of the file, hexadecimal; of index and weights one after the other."),
  bytes: natural.describe("Size of the file, or of these together."),
  opset: z.int().min(1).describe("Version of the ONNX operator set."),
  producer: text.describe("Exporter that the file names; empty if none, as for weights alone."),
  input: z
    .strictObject({
      name: text.describe("Name of the tensor."),
      shape: z.array(natural.nullable()).describe("Extents; null where the file leaves one open."),
      layout: z.enum(["NCHW", "NHWC"]).describe("Order of batch, channel, height and width."),
    })
    .describe("The image input."),
  classes: z.int().min(2).describe("Number of classes (logits)."),
  logits: text.describe("Tensor taken as the logits."),
  softmax: z.boolean().describe("Whether the file ends in a Softmax behind the logits."),
  latent: z
    .strictObject({
      tensor: text.describe("Name of the tensor."),
      size: z.int().min(1).describe("Its length per image."),
    })
    .describe("The latent representation: input of the last linear layer."),
  parameters: natural.describe("Number of trainable parameters."),
  batchNorm: z
    .enum(["live", "folded-or-none"])
    .describe("Whether batch normalisation still stands in the graph as operators."),
  operators: z
    .array(
      z.strictObject({
        name: text.describe("Operator, with its domain unless it is a standard one."),
        count: z.int().min(1).describe("How many nodes use it."),
      }),
    )
    .describe("Operators of the graph."),
});

/** Option values by name: whatever JSON can hold. */
export const options: z.ZodType<Readonly<Record<string, unknown>>> = z.record(z.string(), z.json());

/** A method that was run, with every option it ran with. */
export const method = z.strictObject({
  name: text.describe("Name of the method, as on the command line."),
  options: options.describe("Its resolved options, defaults included."),
});

/** What an attack had beside the images. */
export const aids = {
  surrogate: z
    .strictObject({
      file: text.nullable().describe("The file; null if it was made for this run and not kept."),
      sha256: text.nullable().describe("SHA-256 of the file, hexadecimal; null without one."),
      preprocessing: text.describe("Name of the preprocessing that it expects."),
      madeHere: z.boolean().describe("Whether Antidote trained it on the clean images."),
    })
    .nullable()
    .describe("Network on which perturbations were found; null if the attack needs none."),
  photographs: text
    .nullable()
    .describe("Folder of pictures laid over images, as the user gave it; null without one."),
};
export type AttackAids = Frozen<z.infer<z.ZodObject<typeof aids>>>;
