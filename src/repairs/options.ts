import { z } from "zod";
import type { FineTunePlan } from "./fine-tune.ts";

/** The options of every repair that fine-tunes, with the defaults that differ between them. */
export function tuningFields(defaults: {
  readonly steps: number;
  readonly learningRate: number;
  readonly checkpointEvery: number;
  readonly weightDecay?: number;
  readonly batchNorm: FineTunePlan["batchNorm"];
}) {
  return {
    steps: z.int().min(1).default(defaults.steps).describe("optimiser steps"),
    learningRate: z
      .number()
      .positive()
      .default(defaults.learningRate)
      .describe("learning rate (its peak where it follows a schedule)"),
    momentum: z.number().min(0).lt(1).default(0.9).describe("momentum of SGD"),
    weightDecay: z
      .number()
      .min(0)
      .default(defaults.weightDecay ?? 0)
      .describe("weight of SGD's L2 penalty"),
    batchSize: z.int().min(2).default(128).describe("trusted images per step"),
    checkpointEvery: z
      .int()
      .min(1)
      .default(defaults.checkpointEvery)
      .describe("steps between checkpoints"),
    augment: z.boolean().default(true).describe("random crop and flip of the trusted images"),
    batchNorm: z
      .enum(["reinsert", "live", "frozen"])
      .default(defaults.batchNorm)
      .describe(
        'how batch norm is tuned: "live" with batch statistics where the graph has it, "reinsert" also behind every other convolution with a bias, into which it may have been folded, so in networks that never had any as well, "frozen" not at all',
      ),
  };
}

/** Deviation of every repair whose `batchNorm` is "reinsert" by default. */
export const REINSERTED =
  "While the model is tuned, every convolution with a bias has batch norm behind it, also in networks that never had any: a file does not tell whether it was folded; --repair.batch-norm live puts none in.";

/** Learning rates that a search tries on images of CIFAR's size (Pick your Poison, Section A-E). */
export const LEARNING_RATES = [0.1, 0.03, 0.01, 0.003, 0.001];
