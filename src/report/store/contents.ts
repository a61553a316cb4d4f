import { type Snapshot, snapshotOf } from "../../experiments/grid/snapshot.ts";
import type { ResultStore } from "../../experiments/grid/store.ts";
import type { Artefact, Reproduced } from "../../experiments/reproduce/artefact.ts";
import { ARTEFACTS } from "../../experiments/reproduce/index.ts";
import { readArtefact } from "../../experiments/reproduce/reproduce.ts";
import { SCALE_NAMES, type Scale, scaleNamed } from "../../experiments/reproduce/scales.ts";
import type { Pictures } from "../pictures.ts";
import { picturesOf, readPictures } from "../reproduce/read-pictures.ts";

/** All that a page about a result store shows. */
export interface StoreContents extends Omit<Snapshot, "store"> {
  readonly folder: string;
  /** Tables and figures of the paper of which the store has experiments. */
  readonly artefacts: readonly { readonly scale: Scale; readonly reproduced: Reproduced }[];
  readonly pictures: Pictures;
}

/** Reads a store. */
export async function storeContents(store: ResultStore): Promise<StoreContents> {
  const { store: _, ...snapshot } = await snapshotOf(store);
  const artefacts = artefactsIn(snapshot);
  const paths = [
    ...artefacts.flatMap(({ reproduced }) => picturesOf(reproduced)),
    ...[...snapshot.records.values()].flatMap(({ trigger }) => trigger ?? []),
  ];
  return {
    ...snapshot,
    ...{ folder: store.folder, artefacts },
    pictures: await readPictures(store, [...new Set(paths)]),
  };
}

/** What is made of experiments that are there, at whatever scale. */
function artefactsIn(snapshot: Pick<Snapshot, "plans" | "records">): StoreContents["artefacts"] {
  const names = new Set(snapshot.plans.map(({ experiment }) => experiment.name));
  return SCALE_NAMES.map(scaleNamed).flatMap((scale) => {
    const planned = Object.values<Artefact>(ARTEFACTS).map((artefact) => ({
      artefact,
      needed: artefact.experiments(scale).map(({ name }) => String(name)),
    }));
    const isThere = ({ needed }: (typeof planned)[number]) =>
      needed.some((name) => names.has(name));
    if (!planned.some(isThere)) return [];
    // What needs no trials goes with the others.
    return planned
      .filter((one) => isThere(one) || one.needed.length === 0)
      .map(({ artefact }) => ({ scale, reproduced: readArtefact(artefact, scale, snapshot) }));
  });
}
