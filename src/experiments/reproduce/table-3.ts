import { proportion } from "../../core/statistics.ts";
import { DEFAULT_REPAIR } from "../../repairs/index.ts";
import type { Artefact, TableCell } from "./artefact.ts";
import { meanOf } from "./measured.ts";
import { TABLE_3, TABLED_ATTACKS, TABLED_REPAIRS, TABLED_SHARES } from "./paper.ts";
import { type Results, valuesOf } from "./results.ts";
import { onScale } from "./scales.ts";
import { settingsOf } from "./settings.ts";

/** Those of the paper, and the one of whoever names none. */
const REPAIRS = [...TABLED_REPAIRS, DEFAULT_REPAIR];

const SHARES = TABLED_SHARES.map((share) => `${100 * share} %`).join(", ");

/** Table III: what is left of attacks after repairs with few trusted images. */
export const table3: Artefact = {
  name: "table-3",
  title: "Table III: attack success that is left after a repair",
  experiments: (scale) => [
    onScale(scale, "table-3", {
      attacks: TABLED_ATTACKS.map((name) => ({ name })),
      repairs: REPAIRS,
      ...{ seeds: 1, cleanModels: 0, trusted: [...scale.shares] },
    }),
  ],
  read([results]) {
    const { trusted } = results;
    const share = (values: readonly number[], paper: number | null = null): TableCell => ({
      ...{ as: "share", measured: meanOf(values), paper },
    });
    const rows = TABLED_ATTACKS.flatMap((attack) =>
      trusted.map((r, at): TableCell[] => {
        const models = results.modelsOf(attack);
        return [
          attack,
          String(r),
          share(valuesOf(models, (o) => o.accuracy.value)),
          share(valuesOf(models, (o) => o.attackSuccess?.value)),
          ...REPAIRS.flatMap((repair, column): TableCell[] => {
            const repaired = results.repairs(models, repair, r);
            const oracle = valuesOf(repaired, (o) => o.oracle.attackSuccess?.value);
            const shipped = valuesOf(repaired, (o) => o.deployable.attackSuccess?.value);
            const kept = valuesOf(repaired, (o) => o.deployable.accuracy.value);
            const paper =
              trusted.length === TABLED_SHARES.length || at === 0
                ? (TABLE_3[attack]![column]?.[at] ?? null)
                : null;
            return [share(oracle, paper), share(shipped), share(kept)];
          }),
        ];
      }),
    );
    return {
      ...{ kind: "table", name: "table-3", title: this.title },
      head: [
        ...["attack", "r", "CDA before", "ASR before"],
        ...REPAIRS.flatMap((repair) => [
          `${repair}, oracle`,
          `${repair}, deployable`,
          `${repair}, CDA of deployable`,
        ]),
      ],
      rows,
      notes: [
        "Oracle: lowest ASR of all checkpoints within Δ = 2 points of CDA, judged on test data, as in the paper.",
        "Deployable: the checkpoint that a defender ships, chosen without test data: by a fifth of the r images, which no repair is tuned on; the paper tunes on all of them.",
        `r is the number of trusted images. The paper's numbers are for ${SHARES} of the training images, in this order; where another share was measured they stand beside it all the same.`,
        `${DEFAULT_REPAIR} is not in the paper: it is what repairs here unless another one is named.`,
        ...keptDrop(results),
        ...settingsOf(results),
      ],
    };
  },
};

/** How often what a defender ships kept Δ on test data, and was taken to, a sentence for every repair that was tried. */
function keptDrop(results: Results): string[] {
  const models = results.groups.flatMap((group) => group.models);
  return REPAIRS.flatMap((repair) => {
    const outcomes = results.repairs(models, repair).flatMap(({ outcome }) => outcome ?? []);
    if (outcomes.length === 0) return [];
    const kept = outcomes.filter((outcome) => outcome.keptDrop);
    const claimed = outcomes.filter((outcome) => outcome.claimed);
    const { low, high } = proportion(kept.length, outcomes.length);
    const interval = `${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} %`;
    return `${repair}: what a defender ships kept Δ on test data in ${kept.length} of ${outcomes.length} repairs (95 % interval ${interval}); the defender took it to in ${claimed.length}, of which ${claimed.filter((outcome) => outcome.keptDrop).length} did.`;
  });
}
