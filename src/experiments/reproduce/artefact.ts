import type { z } from "zod";
import type { experiment } from "../grid/experiment-file.ts";
import type { Measured } from "./measured.ts";
import type { Results } from "./results.ts";
import type { Scale } from "./scales.ts";

/** A table or figure of the paper: what has to run for it, and how it is read from records. */
export interface Artefact {
  /** As on the command line: "table-2". */
  readonly name: string;
  readonly title: string;
  /** The trials that it needs; none if nothing has to run. */
  experiments(scale: Scale): readonly ExperimentInput[];
  /** Reads it from what these experiments have found so far, in their order; from nothing if there are none. */
  read(results: readonly [Results, ...Results[]]): Reproduced;
}

/** An experiment, as a file would state it. */
export type ExperimentInput = z.input<typeof experiment>;

export type Reproduced = Table | Figure;

/** A cell: words, or a number of ours beside the paper's. */
export type TableCell = string | NumberCell;

export interface NumberCell {
  /** What is measured: a share in [0,1], an area in [0,1], or the value of an option. */
  readonly as: "share" | "auc" | "option";
  /** Null if it is not measured. */
  readonly measured: Measured | null;
  /** Null if the paper has none. */
  readonly paper: number | null;
}

export interface Table {
  readonly kind: "table";
  readonly name: string;
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly TableCell[])[];
  /** What a reader must know, a sentence each. */
  readonly notes: readonly string[];
}

export interface Figure {
  readonly kind: "figure";
  readonly name: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly notes: readonly string[];
}

export type Panel = Chart | Pictures;

export interface Axis {
  readonly label: string;
  readonly scale: "linear" | "log";
  /** Whether values are shares, shown in percent. */
  readonly share?: true;
  /** Between which all values lie that there can be; of shares 0 and 1. */
  readonly limits?: readonly [low: number, high: number];
  /** Names of the values, for an axis of classes. */
  readonly names?: readonly string[];
}

export interface Chart {
  readonly kind: "chart";
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  /** line: points joined in order, with a band where they have intervals; front: a dashed staircase. */
  readonly mark: "line" | "dots" | "bars" | "front";
  /** Whether these are the paper's own numbers. */
  readonly paper?: true;
  /** Name of the series that this one belongs to: the paper's numbers beside ours, a front around its points. */
  readonly beside?: string;
  readonly points: readonly Point[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Interval of y. */
  readonly low?: number | null;
  readonly high?: number | null;
  /** Interval of x, where x is measured, too. */
  readonly xLow?: number | null;
  readonly xHigh?: number | null;
  /** Number of models that y is made of, and of clean ones that they are compared with. */
  readonly n?: number;
  readonly against?: number;
  readonly label?: string;
  /** Whether the point stands out: the class that a backdoor leads to. */
  readonly marked?: true;
}

export interface Pictures {
  readonly kind: "pictures";
  readonly title: string;
  /** Paths within the store, with what they show. */
  readonly pictures: readonly { readonly path: string; readonly caption: string }[];
}
