import { REPAIRS } from "../../repairs/index.ts";
import type { Artefact, TableCell } from "./artefact.ts";
import { TABLE_5, TABLE_5_IMAGENET } from "./paper.ts";

/** Table V: the options of repairs. Nothing has to run for it: ours are the defaults of the code. */
export const table5: Artefact = {
  name: "table-5",
  title: "Table V: options of the repairs for r = 1 %",
  experiments: () => [],
  read() {
    const rows = Object.entries(TABLE_5).flatMap(([repair, options]) => {
      const { config } = REPAIRS[repair as keyof typeof REPAIRS];
      const ours = config.parse({}) as Readonly<Record<string, unknown>>;
      return Object.entries(options).map(([option, paper]): TableCell[] => {
        const value = ours[option];
        const measured = typeof value === "number" ? { value, low: null, high: null, n: 1 } : null;
        const onImagenet = String(TABLE_5_IMAGENET[repair]![option]);
        return [repair, option, { as: "option", measured, paper }, onImagenet];
      });
    });
    return {
      ...{ kind: "table", name: "table-5", title: this.title },
      head: ["repair", "option", "CIFAR-10", "ImageNet, paper"],
      rows,
      notes: [
        "Ours are the defaults of this version, which are the paper's for CIFAR-10; `antidote methods NAME` describes them, and `antidote search` finds others. All repairs are tuned by SGD.",
      ],
    };
  },
};
