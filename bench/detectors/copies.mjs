/**
 * Prints what detectors make of the models of experiments, the amounts of poison together, and Figure 5 of the same store: the
 * tables of docs/evidence/detectors.md about the copies that Calibrated Trigger Inversion compares with.
 *
 *     node bench/detectors/copies.mjs results/small reference-by-labels figure-5-small
 */
import { Random } from "../../dist/core/random.js";
import { rocWithInterval } from "../../dist/core/ranking.js";
import { snapshotOf } from "../../dist/experiments/grid/snapshot.js";
import { ResultStore } from "../../dist/experiments/grid/store.js";
import { ARTEFACTS } from "../../dist/experiments/reproduce/index.js";
import { readArtefact } from "../../dist/experiments/reproduce/reproduce.js";
import { Results } from "../../dist/experiments/reproduce/results.js";
import { scaleNamed } from "../../dist/experiments/reproduce/scales.js";
import { paperScore } from "../../dist/experiments/reproduce/scores.js";
import { percent, printTable } from "../markdown.mjs";

/** Attack success from which a backdoor works, and up to which it hardly does. */
const [WORKS, HARDLY] = [0.5, 0.04];

const [folder, ...names] = process.argv.slice(2);
const snapshot = await snapshotOf(ResultStore.existing(folder));
/** Rows by what they are of: Neural Cleanse compares with no copy, and is the same in every experiment. */
const rows = new Map();
for (const name of names) {
  const results = Results.named(snapshot, name);
  const models = results.groups.flatMap((group) => group.models).filter(({ outcome }) => outcome);
  const success = ({ outcome }) => outcome.attackSuccess?.value;
  const kinds = {
    clean: models.filter((model) => model.config.attack === null),
    works: models.filter((model) => success(model) >= WORKS),
    hardly: models.filter((model) => success(model) <= HARDLY),
  };
  for (const detector of ["calibrated-trigger-inversion", "neural-cleanse"]) {
    const scored = (some) =>
      some.flatMap((model) =>
        results
          .detections([model], detector)
          .filter(({ outcome }) => outcome)
          .map(({ config, outcome }) => ({
            name: named(config),
            score: paperScore(detector)(outcome),
            leads: leading(detector, outcome.classes) === model.config.target,
          })),
      );
    const [clean, works, hardly] = [kinds.clean, kinds.works, kinds.hardly].map(scored);
    if (clean.length === 0 || works.length === 0) continue;
    rows.set(clean[0].name, [
      ...[summary(clean), summary(works)],
      `${works.filter(({ leads }) => leads).length} of ${works.length}`,
      ...[summary(hardly), areaUnder(works, clean)],
    ]);
  }
}
printTable(
  [
    ...["detector", "clean models", `backdoor works (ASR ≥ ${100 * WORKS} %)`, "target leads"],
    ...[`hardly works (ASR ≤ ${100 * HARDLY} %)`, "ROC AUC, works against clean"],
  ],
  [...rows].map(([name, cells]) => [name, ...cells]),
);

const { panels } = readArtefact(ARTEFACTS["figure-5"], scaleNamed("small"), snapshot);
printTable(
  ["attack", "m", "ASR", "ASR, paper", "Calibrated, AUC", "AUC, paper", "Neural Cleanse, AUC"],
  panels.flatMap(({ title, series }) => {
    const seriesOf = (name) => series.find((one) => one.name === name);
    const [success, calibrated, cleanse] = series;
    return success.points.map(({ x }) => {
      const at = ({ points }) => points.find((point) => point.x === x);
      const [paperSuccess, paperArea] = ["ASR, paper", "AUC, paper"].map(seriesOf).map(at);
      return [
        ...[
          `\`${title}\``,
          x,
          bounded(at(success), percent),
          paperSuccess ? percent(paperSuccess.y, 0) : "",
        ],
        ...[bounded(at(calibrated), digits), paperArea ? digits(paperArea.y) : ""],
        bounded(at(cleanse), digits),
      ];
    });
  }),
);

/** A number with its interval. */
function bounded({ y, low, high }, said) {
  return `${said(y)} (${said(low)}–${said(high)})`;
}

function digits(value) {
  return value.toFixed(2);
}

/** A detector, with the copy that it compares with. */
function named({ detector, repair }) {
  if (detector.name === "neural-cleanse") return "Neural Cleanse, least ‖T‖₁";
  const distilled = snapshot.records.get(repair).config.repair.options.distillation > 0;
  return `Calibrated, copy by ${distilled ? "the suspect's answers" : "labels"}`;
}

/** The class that a detector names, by what the paper ranks models by. */
function leading(detector, classes) {
  const value = ({ size, score }) => (detector === "neural-cleanse" ? -size : score);
  return classes.reduce((a, b) => (value(b) > value(a) ? b : a)).target;
}

/** How many, their mean score and its range. */
function summary(models) {
  if (models.length === 0) return "";
  const scores = models.map(({ score }) => Math.abs(score));
  const said = (value) => value.toFixed(Math.max(...scores) > 2 ? 1 : 2);
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  return `${scores.length}: ${said(mean)} (${said(Math.min(...scores))}–${said(Math.max(...scores))})`;
}

function areaUnder(positives, negatives) {
  const scores = [positives, negatives].map((models) => models.map(({ score }) => score));
  const { value, ...interval } = rocWithInterval(...scores, Random.fromSeed(0).fork("copies"));
  return bounded({ y: value, ...interval }, digits);
}
