import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { basename } from "node:path";
import type { z } from "zod";
import { build } from "../core/build.ts";
import { sizeOf } from "../core/tensor.ts";
import { VERSION } from "../core/version.ts";
import { type ImageSet, indicesByClass } from "../data/images.ts";
import type { Classifier } from "../models/classifier.ts";
import { isWeights } from "../models/weights-file.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { OnnxFile } from "../onnx/file.ts";
import type { Graph, Node } from "../onnx/graph.ts";
import { standardOpset } from "../onnx/opset.ts";
import type { RunContext } from "../runtime/context.ts";
import type { Device } from "../runtime/device.ts";
import type { Preflight } from "./preflight.ts";
import type { AuditRecord } from "./record.ts";
import type * as parts from "./record-parts.ts";
import type { Stages } from "./stages.ts";

/*
 * What records say about a run besides its results: every function fills in one part of record-parts.ts.
 */

type Part<Name extends "model" | "preprocessing" | "versions" | "hardware"> = parts.Frozen<
  z.infer<(typeof parts)[Name]>
>;

type RunFacts = Pick<
  AuditRecord,
  "seed" | "versions" | "hardware" | "startedAt" | "duration" | "stages" | "peakMemory"
>;

/** Digest and size of a file, or of several, one after the other. */
export async function describeFile(
  ...paths: readonly string[]
): Promise<Pick<Part<"model">, "sha256" | "bytes">> {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const path of paths) {
    const content = await readFile(path);
    hash.update(content);
    bytes += content.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}

/** The same of all files that a model was read from. */
export function describeFilesOf({ path, parts }: OnnxFile): ReturnType<typeof describeFile> {
  return describeFile(...(parts ?? [path]));
}

/** What was found in a model file. */
export async function describeModel(
  file: OnnxFile,
  classifier: Classifier,
): Promise<Part<"model">> {
  const { sha256, bytes } = await describeFilesOf(file);
  const { graph, image, roles } = classifier;
  return {
    file: basename(file.path),
    sha256,
    bytes,
    opset: standardOpset(file.model.opsetImport, file.path),
    producer: producerOf(file),
    input: { name: image.name, shape: graph.inputs[0]!.shape, layout: image.layout },
    classes: roles.classes,
    logits: roles.logits,
    softmax: roles.output !== "logits",
    latent: { tensor: roles.latent, size: await latentSize(classifier) },
    parameters: [...classifier.weights.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    batchNorm: graph.nodes.some(({ op }) => op === "BatchNormalization")
      ? "live"
      : "folded-or-none",
    operators: countOperators(graph),
  };
}

/** The graph of weights alone is written by Antidote itself, which did not make the model. */
function producerOf({ path, model }: OnnxFile): string {
  return isWeights(path) ? "" : `${model.producerName} ${model.producerVersion}`.trim();
}

/** "Conv"; "com.microsoft.Gelu" outside the standard domain. */
export function operatorName({ op, domain }: Node): string {
  return domain === "" ? op : `${domain}.${op}`;
}

/** The operators of a graph, the most frequent first. */
function countOperators(graph: Graph): { name: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const node of graph.nodes) {
    const name = operatorName(node);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Array.from(counts, ([name, count]) => ({ name, count })).sort(
    (a, b) => b.count - a.count || a.name.localeCompare(b.name),
  );
}

async function latentSize(classifier: Classifier): Promise<number> {
  // Batch 2 has been specialised already, to find the latent.
  const network = await classifier.at(2);
  const { channels, height, width } = classifier.image;
  const b = new GraphBuilder();
  const x = b.input("images", "float32", [2, channels, height, width]); // [N,C,H,W]
  return classifier.append(b, network, x, "model/").latent.shape[1]!;
}

/** How the preprocessing was settled. */
export function describePreprocessing({
  classifier,
  preprocessing: { name, how, tried },
}: Preflight): Part<"preprocessing"> {
  const given = how === "given";
  const candidates = tried.map(({ name, preprocessing, accuracy }) => ({
    name,
    ...preprocessing,
    accuracy,
  }));
  return {
    ...classifier.preprocessing,
    name: given ? null : name,
    chosenBy: given ? "flags" : "accuracy",
    candidates: given ? [] : candidates.sort((a, b) => b.accuracy.value - a.accuracy.value),
  };
}

/** Number of images of every class, by class index. */
export function imagesPerClass(set: ImageSet): number[] {
  return indicesByClass(set).map((group) => group.length);
}

/** The software that is running. */
export function describeVersions(): Part<"versions"> {
  const manifest = createRequire(import.meta.url)("onnxruntime-node/package.json") as {
    readonly version: string;
  };
  const { version: onnxruntime } = manifest;
  return { antidote: VERSION, build: build(), onnxruntime, node: process.versions.node };
}

/** The machine, and what computes on it. */
export function describeHardware(device: Device): Part<"hardware"> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() || "unknown",
    cores: Math.max(1, processors.length),
    platform: `${process.platform}-${process.arch}`,
    device: device.name,
    threads: device.threads,
  };
}

/** With what, on what and how long a run was made. */
export async function describeRun(
  { device }: RunContext,
  seed: number,
  { startedAt, seconds, times }: Stages,
): Promise<RunFacts> {
  return {
    seed,
    versions: describeVersions(),
    hardware: describeHardware(device),
    startedAt,
    duration: seconds,
    stages: times,
    peakMemory: process.resourceUsage().maxRSS * 1024 + (await device.peakMemory()),
  };
}
