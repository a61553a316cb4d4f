/**
 * Reads a record of racing.mjs: how far the order of the classes agrees with that at the end of the same search after a part of
 * its steps, and how far two whole searches agree that differ in their random draws alone (Kendall's τ). Prints Markdown.
 *
 *     node bench/detectors/racing-agreement.mjs [RECORD]
 */
import { kendallTau } from "../../dist/core/ranking.js";
import { printTable } from "../markdown.mjs";
import { runsIn } from "../record.mjs";

const runs = runsIn(process.argv[2] ?? "results/racing.json");
const families = Object.keys(runs[0].families);

/** Sizes of all classes after so many notes; a class without a trigger comes last. */
const sizes = (run, family, at) =>
  run.families[family].map((notes) => notes[at] ?? Number.MAX_VALUE);
const notes = runs[0].families[families[0]][0].length;
const last = notes - 1;

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
};
const summary = (values) => {
  const known = values.filter((value) => !Number.isNaN(value));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return `${median(known).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
};

const rows = [0.5, 0.75, 0.9].map((share) => {
  const at = Math.round(share * notes) - 1;
  const step = (at + 1) * runs[0].every;
  return [
    `after ${step} of ${runs[0].steps} steps`,
    ...families.map((family) => {
      const taus = runs.map((run) => kendallTau(sizes(run, family, at), sizes(run, family, last)));
      const kept = runs.filter((run) => {
        const [now, end] = [sizes(run, family, at), sizes(run, family, last)];
        return now.indexOf(Math.min(...now)) === end.indexOf(Math.min(...end));
      });
      return `${summary(taus)}; ${kept.length} of ${runs.length}`;
    }),
  ];
});
const pairs = runs.flatMap((run) => {
  const other = runs.find(({ model, seed }) => model === run.model && seed > run.seed);
  return other ? [[run, other]] : [];
});
rows.push([
  "another seed, all steps",
  ...families.map((family) => {
    const taus = pairs.map(([a, b]) => kendallTau(sizes(a, family, last), sizes(b, family, last)));
    const same = pairs.filter(([a, b]) => {
      const [one, two] = [sizes(a, family, last), sizes(b, family, last)];
      return one.indexOf(Math.min(...one)) === two.indexOf(Math.min(...two));
    });
    return `${summary(taus)}; ${same.length} of ${pairs.length}`;
  }),
]);
const head = ["τ: median (range); same leading class", ...families];
printTable(head, rows);
